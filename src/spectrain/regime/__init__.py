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
from spectrain.regime.path import Path, noise_path, relaxations_passed
from spectrain.regime.timescale import Timescale, corrected_decay, decay_for, timescale

__all__ = [
    "Equilibrium",
    "NoiseUpdate",
    "Path",
    "Timescale",
    "adamw_noise",
    "corrected_decay",
    "decay_for",
    "equilibrium",
    "expected_squared_norms",
    "muon_noise",
    "noise_path",
    "overlap_of_polars",
    "relaxations_passed",
    "sgd_noise",
    "timescale",
]
