"""The noise study: “Multiplicative noise model for minibatch gradients” (seed 000), under test."""

from spectrain_studies.noise import (
    claims_race,
    claims_signs,
    claims_simulated,
    claims_theory,
    claims_transformer,
    figures,
)
from spectrain_studies.noise.study import STUDY

__all__ = [
    "STUDY",
    "claims_race",
    "claims_signs",
    "claims_simulated",
    "claims_theory",
    "claims_transformer",
    "figures",
]
