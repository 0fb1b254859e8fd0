"""Interventions: what is done to a gradient or to an update between backward pass and weights."""

from spectrain.optim.interventions.intervened import Intervened
from spectrain.optim.interventions.perturbing import AddNoise, RandomizeDirections
from spectrain.optim.interventions.rescaling import (
    DiagonalFisher,
    NormalizeColumns,
    NormalizeRows,
    Scale,
    ScaleByShape,
)
from spectrain.optim.interventions.spectral import (
    Equalize,
    Flatten,
    KeepTop,
    Orthonormalize,
    SwapSpectrum,
)
from spectrain.optim.interventions.transformation import Compose, Property, Transformation

__all__ = [
    "AddNoise",
    "Compose",
    "DiagonalFisher",
    "Equalize",
    "Flatten",
    "Intervened",
    "KeepTop",
    "NormalizeColumns",
    "NormalizeRows",
    "Orthonormalize",
    "Property",
    "RandomizeDirections",
    "Scale",
    "ScaleByShape",
    "SwapSpectrum",
    "Transformation",
]
