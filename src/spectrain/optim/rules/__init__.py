"""One registered rule for each family of optimizers: what the rest of the project knows of them."""

from spectrain.optim.rules import adam, muon, orthogonal, sgd, spectral_descent
from spectrain.optim.rules.registry import RULES, plain_settings, recorded, resolve
from spectrain.optim.rules.rule import UNKNOWN_LENGTH, Decay, Form, Length, Response, Rule

__all__ = [
    "RULES",
    "UNKNOWN_LENGTH",
    "Decay",
    "Form",
    "Length",
    "Response",
    "Rule",
    "adam",
    "muon",
    "orthogonal",
    "plain_settings",
    "recorded",
    "resolve",
    "sgd",
    "spectral_descent",
]
