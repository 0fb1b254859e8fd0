"""What the rules read out of an optimizer's state, on a gradient that never changes."""

from __future__ import annotations

import pytest
import torch
from torch.optim import SGD, Adam, Adamax, AdamW, Muon, NAdam, RAdam, RMSprop

from spectrain.optim import EchoFilter
from spectrain.optim.rules import Decay
from support.lion import Lion
from support.simulated import Make, run

SHAPE = (24, 32)
RATE = 0.02
BETAS = (0.9, 0.95)

CASES: dict[str, Make] = {
    "adamw": lambda p: AdamW(p, RATE, weight_decay=0.5),
    "adamw amsgrad": lambda p: AdamW(p, RATE, weight_decay=0.5, amsgrad=True),
    "adamw maximize": lambda p: AdamW(p, RATE, weight_decay=0.5, maximize=True),
    "adam coupled": lambda p: Adam(p, 1e-4, weight_decay=0.1),
    "nadam": lambda p: NAdam(p, RATE, weight_decay=0.5, decoupled_weight_decay=True),
    "radam": lambda p: RAdam(p, RATE, weight_decay=0.5, decoupled_weight_decay=True, betas=BETAS),
    "adamax": lambda p: Adamax(p, 1e-4),
    "rmsprop centered": lambda p: RMSprop(p, 1e-4, centered=True, momentum=0.9),
    "sgd": lambda p: SGD(p, RATE, momentum=0.9),
    "sgd coupled": lambda p: SGD(p, RATE, momentum=0.9, weight_decay=0.1),
    "sgd maximize": lambda p: SGD(p, RATE, momentum=0.9, weight_decay=0.1, maximize=True),
    "sgd dampening": lambda p: SGD(p, RATE, momentum=0.9, dampening=0.5),
    "sgd nesterov": lambda p: SGD(p, RATE, momentum=0.9, nesterov=True),
    "muon": lambda p: Muon(p, RATE, momentum=0.9, weight_decay=0.5),
    "lion": lambda p: Lion(p, RATE, weight_decay=0.5),
    "echo filter": lambda p: EchoFilter(p, RATE, weight_decay=0.5),
}
NO_DIRECTION = {"nadam", "sgd nesterov", "muon", "lion", "echo filter"}
"""The last gradient is in their steps and in no state, or the step takes too long to repeat."""


@pytest.mark.parametrize("name", CASES)
def test_the_average_is_the_gradient_and_the_direction_the_step(
    name: str, generator: torch.Generator
) -> None:
    gradient = torch.randn(SHAPE, generator=generator)
    found = run(CASES[name], SHAPE, gradient.clone, steps=700, late=20)
    average = found.rule.average(found.state, found.parameter)
    assert average is not None
    assert (average - gradient).norm() < 0.03 * gradient.norm()
    direction = found.rule.direction(found.state)
    assert (direction is None) == (name in NO_DIRECTION)
    if direction is not None and found.last.norm() > 1e-3:  # coupled decay comes to rest
        cosine = torch.cosine_similarity(direction.flatten(), found.last.double().flatten(), dim=0)
        assert cosine > 0.999
    match found.rule.decay:
        case Decay.DECOUPLED:
            factor = found.rule.decay_factor()
            assert factor is not None
            expected = RATE * found.energy**0.5 / (1 - factor)
            assert found.norm == pytest.approx(expected, rel=0.03)
        case Decay.COUPLED if "sgd" in name:
            settled = gradient.norm().item() / found.rule.number("weight_decay")
            assert found.norm == pytest.approx(settled, rel=0.03)


def test_a_part_of_the_energy_that_persists_is_found(generator: torch.Generator) -> None:
    """Signal of a third of the energy; the average of what came before foretells as much."""
    signal = torch.randn(SHAPE, generator=generator) / 2**0.5
    for name in ("adamw", "sgd coupled", "muon", "lion"):
        found = run(
            CASES[name],
            SHAPE,
            lambda: signal + torch.randn(SHAPE, generator=generator),
            steps=400,
            late=20,
        )
        average = found.rule.average(found.state, found.parameter)
        assert average is not None
        foretold = ((signal * average).sum() / (signal.square().sum() + signal.numel())).item()
        assert foretold == pytest.approx(1 / 3, abs=0.05), name  # 0.02: the average is finite
