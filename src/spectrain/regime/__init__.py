"""Theory of the noise–weight-decay equilibrium: norms, angular updates and relaxation times."""

from spectrain.regime.equilibrium import (
    Equilibrium,
    NoiseUpdate,
    adamw_noise,
    equilibrium,
    expected_squared_norms,
    sgd_noise,
)
from spectrain.regime.muon import muon_noise, overlap_of_polars

__all__ = [
    "Equilibrium",
    "NoiseUpdate",
    "adamw_noise",
    "equilibrium",
    "expected_squared_norms",
    "muon_noise",
    "overlap_of_polars",
    "sgd_noise",
]
