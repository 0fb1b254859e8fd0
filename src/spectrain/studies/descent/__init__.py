"""When spectral updates help, under test (seed 003)."""

from spectrain.studies.descent import claims_random_features, claims_sparse, figures, figures_sparse
from spectrain.studies.descent.study import STUDY

__all__ = ["STUDY", "claims_random_features", "claims_sparse", "figures", "figures_sparse"]
