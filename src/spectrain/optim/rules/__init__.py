"""One registered rule for each family of optimizers: what the rest of the project knows of them."""

from spectrain.optim.rules import (
    adafactor,
    adam,
    adamax,
    asgd,
    heavyball,
    jordan,
    lion,
    muon,
    nadam,
    orthogonal,
    partial,
    radam,
    rmsprop,
    schedule_free,
    scion,
    sgd,
    spectral_descent,
    spectral_momentum,
    timm_muon,
    unsettled,
    whitened,
    wrappers,
)
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
    "plain_settings",
    "recorded",
    "resolve",
]
