"""Optimizers: SpecGD, Muon with its choices open, echo filter, interventions; plans; the linter."""

from spectrain.optim.build import Built, build
from spectrain.optim.echo_filter import EchoFilter
from spectrain.optim.interventions import Intervened
from spectrain.optim.lint import Complaint, lint
from spectrain.optim.mixed import mixed_step
from spectrain.optim.multipliers import (
    MultipliedLinear,
    Multiplier,
    add_multipliers,
    multiplier_groups,
)
from spectrain.optim.plan_file import read_plan, write_plan
from spectrain.optim.replica_store import MicrobatchReplicas, ReplicaSource
from spectrain.optim.spectral_descent import SpecGD
from spectrain.optim.spectral_momentum import SpectralMomentum

__all__ = [
    "Built",
    "Complaint",
    "EchoFilter",
    "Intervened",
    "MicrobatchReplicas",
    "MultipliedLinear",
    "Multiplier",
    "ReplicaSource",
    "SpecGD",
    "SpectralMomentum",
    "add_multipliers",
    "build",
    "lint",
    "mixed_step",
    "multiplier_groups",
    "read_plan",
    "write_plan",
]
