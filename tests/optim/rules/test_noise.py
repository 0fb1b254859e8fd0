"""Every rule's answer to noise against the optimizer itself, within 3 %."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.optim import ASGD, SGD, Adam, Adamax, AdamW, Muon, NAdam, RAdam, RMSprop

from spectrain.optim import SpecGD
from spectrain.optim.rules import Decay
from spectrain.regime import equilibrium, expected_squared_norms
from support.lion import Lion
from support.simulated import Make, run

WIDE, MATRIX = (100, 120), (48, 64)
TOLERANCE = 0.03
RATE = 0.02


def adamw(**options: Any) -> Make:
    return lambda p: AdamW(p, **({"lr": RATE, "weight_decay": 0.5} | options))


def sgd(**options: Any) -> Make:
    return lambda p: SGD(p, **({"lr": RATE, "weight_decay": 0.05} | options))


def muon(**options: Any) -> Make:
    return lambda p: Muon(p, **({"lr": RATE, "weight_decay": 0.5, "momentum": 0.9} | options))


FAST_BETA2: dict[str, Any] = {"betas": (0.9, 0.95)}
CASES: dict[str, tuple[Make, tuple[int, ...]]] = {
    "adamw": (adamw(), WIDE),
    "adamw beta2=.95": (adamw(**FAST_BETA2), WIDE),
    "adamw beta1=0": (adamw(betas=(0.0, 0.99)), WIDE),
    "adamw amsgrad": (adamw(amsgrad=True), WIDE),
    "adamw maximize": (adamw(maximize=True), WIDE),
    "adamw foreach": (adamw(foreach=True), WIDE),
    "adamw fused": (adamw(fused=True), WIDE),
    "adamw large eps": (adamw(eps=1.0), WIDE),
    "adamw vector": (adamw(), (12_000,)),
    "adamw no decay": (adamw(weight_decay=0.0), WIDE),
    "adam decoupled": (
        lambda p: Adam(p, RATE, weight_decay=0.5, decoupled_weight_decay=True),
        WIDE,
    ),
    "adam coupled": (lambda p: Adam(p, 1e-3, weight_decay=5.0, **FAST_BETA2), WIDE),
    "nadam": (
        lambda p: NAdam(
            p, RATE, weight_decay=0.5, decoupled_weight_decay=True, momentum_decay=1.0, **FAST_BETA2
        ),
        WIDE,
    ),
    "radam": (
        lambda p: RAdam(p, RATE, weight_decay=0.5, decoupled_weight_decay=True, **FAST_BETA2),
        WIDE,
    ),
    "adamax no decay": (lambda p: Adamax(p, RATE, betas=(0.9, 0.99)), WIDE),
    "rmsprop": (lambda p: RMSprop(p, 1e-2, weight_decay=0.5), WIDE),
    "rmsprop momentum": (lambda p: RMSprop(p, 1e-3, weight_decay=0.5, momentum=0.9), WIDE),
    "rmsprop centered": (lambda p: RMSprop(p, 1e-2, weight_decay=0.5, centered=True), WIDE),
    "sgd": (sgd(weight_decay=0.5), WIDE),
    "sgd momentum": (sgd(momentum=0.9, lr=1e-2), WIDE),
    "sgd nesterov": (sgd(momentum=0.9, nesterov=True, lr=1e-2), WIDE),
    "sgd dampening": (sgd(momentum=0.9, dampening=0.5, lr=2e-2), WIDE),
    "sgd maximize": (sgd(momentum=0.9, lr=1e-2), WIDE),
    "sgd no decay": (sgd(momentum=0.9, weight_decay=0.0), WIDE),
    "asgd": (lambda p: ASGD(p, RATE, lambd=0.0, weight_decay=0.5), WIDE),
    "muon": (muon(), MATRIX),
    "muon plain momentum": (muon(nesterov=False), MATRIX),
    "muon rms of adamw": (muon(adjust_lr_fn="match_rms_adamw"), MATRIX),
    "muon tall": (muon(), (96, 32)),
    "lion": (lambda p: Lion(p, RATE, weight_decay=0.5), WIDE),
    "lion other betas": (lambda p: Lion(p, RATE, betas=(0.95, 0.9), weight_decay=0.5), WIDE),
    "specgd euclidean": (lambda p: SpecGD(p, RATE, step="euclidean"), WIDE),
}


@pytest.mark.parametrize("name", CASES)
def test_noise_settles_where_the_rule_says(name: str, generator: torch.Generator) -> None:
    make, shape = CASES[name]
    steps = 900
    found = run(make, shape, lambda: torch.randn(shape, generator=generator), steps=steps)
    response = found.rule.noise(shape, 1.0)
    assert response is not None
    assert response.decay is not None
    assert found.energy == pytest.approx(response.energy or found.energy, rel=2 * TOLERANCE)
    update = (response if response.energy is not None else response.measured(found.energy)).update
    assert update is not None
    rate, decay = found.rule.number("lr"), found.rule.number("weight_decay") * response.decay
    turned_back = rate * decay if response.coupled else 0.0  # by decay, which is in the update
    cosine = pytest.approx(response.successive_cosine, rel=TOLERANCE, abs=0.003 + turned_back)
    assert found.cosine == cosine
    if found.rule.decay is Decay.NONE:
        late = range(steps - 150, steps)
        path = expected_squared_norms(
            update, initial=0.0, learning_rates=[rate] * steps, weight_decay=0.0
        )
        expected = sum(math.sqrt(path[step]) for step in late) / len(late)
        assert found.norm == pytest.approx(expected, rel=TOLERANCE)
        return
    settled = equilibrium(update, learning_rate=rate, weight_decay=decay)
    assert steps > 6 * settled.relaxation_steps
    assert found.norm == pytest.approx(settled.norm, rel=TOLERANCE)
    assert found.angle == pytest.approx(settled.angular_update, rel=TOLERANCE)
