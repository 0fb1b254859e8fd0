"""When spectral updates help, under test (seed 003)."""

from spectrain.studies.descent import (
    claims_activations,
    claims_block,
    claims_dial,
    claims_kernel,
    claims_layered,
    claims_random_features,
    claims_ranks,
    claims_samples,
    claims_sparse,
    claims_spike,
    claims_windows,
    figures,
    figures_ranks,
    figures_sparse,
    figures_theory,
)
from spectrain.studies.descent.study import STUDY

__all__ = [
    "STUDY",
    "claims_activations",
    "claims_block",
    "claims_dial",
    "claims_kernel",
    "claims_layered",
    "claims_random_features",
    "claims_ranks",
    "claims_samples",
    "claims_sparse",
    "claims_spike",
    "claims_windows",
    "figures",
    "figures_ranks",
    "figures_sparse",
    "figures_theory",
]
