"""Large matrices of checkpoints: estimated from products with vectors, with standard errors."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix import MEASURES, SKETCHED, Sketch, SketchEstimate, sketch
from spectrain.matrix.estimate import COSTS, worthwhile_products

SKETCH_FROM = 4096
"""Matrices whose shorter side has at least this many entries are estimated."""

RTOL = 0.02
"""Wanted relative half width of the 95 % intervals of nuclear norm and effective rank."""

TWO_SIDED = 1.96
"""Half width of a 95 % interval over its standard error."""


def sketched(matrix: Float[Tensor, "m n"], *, seed: int = 0) -> Sketch | None:
    """A sketch of a matrix, or nothing where the singular values themselves are the better answer.

    That is where they cost less, where products reach the wanted error too slowly (slow power laws
    do that), and where an entry is not finite.

    Args:
        matrix: any floating dtype.
        seed: of the probes.
    """
    costs = COSTS.get(matrix.device.type)
    products = 0 if costs is None else worthwhile_products(matrix, RTOL, costs)
    if not products or not bool(matrix.isfinite().all()):
        return None
    generator = torch.Generator(matrix.device).manual_seed(seed)
    estimate = sketch(matrix, rtol=RTOL, products=products, generator=generator)
    return estimate if estimate.probes and estimate.half_width <= RTOL else None


def estimates(given: Sketch) -> dict[str, SketchEstimate | None]:
    """Every measure by name; ``None`` where a sketch does not give it.

    Example:
        >>> known = estimates(sketch(torch.eye(8)))
        >>> known["nuclear_norm"].value, known["condition_number"]
        (8.0, None)
    """
    rank = given.effective_rank
    known: dict[str, SketchEstimate] = {name: getattr(given, name) for name in SKETCHED}
    known["spectral_entropy"] = SketchEstimate(
        math.log(rank.value),
        rank.standard_error / rank.value,
        math.log(rank.low),
        math.log(rank.high),
    )
    return {name: known.get(name) for name in MEASURES}


def standard_error(estimate: SketchEstimate) -> float:
    """The error whose 95 % interval is that of the estimate, its bounds beyond chance included.

    Example:
        >>> round(standard_error(SketchEstimate(1.0, 0.1, 0.804, 1.196)), 3)
        0.1
    """
    return (estimate.high - estimate.low) / (2 * TWO_SIDED)
