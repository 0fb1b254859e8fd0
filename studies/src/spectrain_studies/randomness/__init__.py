"""Seed document 004: stochastic gradient descent and random-matrix theory."""

from spectrain_studies.randomness import (
    claims_images,
    claims_laws,
    claims_levels,
    claims_machine,
    claims_mode,
    claims_scaling,
    claims_spacing,
    claims_transformer,
    figures,
    figures_models,
)
from spectrain_studies.randomness.study import STUDY

__all__ = [
    "STUDY",
    "claims_images",
    "claims_laws",
    "claims_levels",
    "claims_machine",
    "claims_mode",
    "claims_scaling",
    "claims_spacing",
    "claims_transformer",
    "figures",
    "figures_models",
]
