"""Trials: changes of an optimizer set-up, tried on short branches of a training."""

from spectrain.trials.changes import (
    Change,
    advised_setup,
    candidates,
    cut,
    decay,
    even_rows,
    exponent,
    matching,
    rate,
    to_adamw,
    to_muon,
)
from spectrain.trials.conduct import trial
from spectrain.trials.effects import Effect
from spectrain.trials.result import ChangeEffect, TrialResult, Verification
from spectrain.trials.setup import Assignment, SetUp, Stepper, usual_setup

__all__ = [
    "Assignment",
    "Change",
    "ChangeEffect",
    "Effect",
    "SetUp",
    "Stepper",
    "TrialResult",
    "Verification",
    "advised_setup",
    "candidates",
    "cut",
    "decay",
    "even_rows",
    "exponent",
    "matching",
    "rate",
    "to_adamw",
    "to_muon",
    "trial",
    "usual_setup",
]
