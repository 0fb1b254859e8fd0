"""Spectral against Euclidean steps: criterion, guarantees, natural steps, realised decrease."""

from spectrain.descent.curvature import LayerBounds, hessian_constants
from spectrain.descent.granularity import cut_guarantee, experts_guarantee
from spectrain.descent.guarantees import (
    CLEAR,
    Curvature,
    Favoured,
    Steps,
    decrease_interval,
    favoured,
    margin,
    natural_steps,
    threshold,
)
from spectrain.descent.least_squares import LeastSquares
from spectrain.descent.realised import RealisedDecrease, realised_decrease

__all__ = [
    "Curvature",
    "Favoured",
    "LayerBounds",
    "LeastSquares",
    "RealisedDecrease",
    "Steps",
    "cut_guarantee",
    "decrease_interval",
    "experts_guarantee",
    "favoured",
    "hessian_constants",
    "margin",
    "natural_steps",
    "realised_decrease",
    "threshold",
]
