"""The minimal two-regime model under test (seed 002)."""

from spectrain_studies.regime import (
    claims_dynamics,
    claims_sweeps,
    claims_theory,
    claims_transformer,
    claims_tuning,
    figures,
    planted,
)
from spectrain_studies.regime.study import STUDY

__all__ = [
    "STUDY",
    "claims_dynamics",
    "claims_sweeps",
    "claims_theory",
    "claims_transformer",
    "claims_tuning",
    "figures",
    "planted",
]
