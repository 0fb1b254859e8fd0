"""Real optimizers on gradients that are noise, or signal, without any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.optim.rules import Rule, resolve

Make = Callable[[list[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Course:
    """Means over the last steps: ‖W‖, angle of a step, ‖u‖² and cosine of successive updates."""

    norm: float
    angle: float
    energy: float
    cosine: float
    rule: Rule
    parameter: nn.Parameter
    state: Mapping[str, Any]
    last: Tensor


def run(
    make: Make,
    shape: tuple[int, ...],
    gradient: Callable[[], Tensor],
    *,
    steps: int,
    late: int = 150,
) -> Course:
    """Train a parameter from zero on given gradients; updates are read off the weights.

    An update is (aW − W′)/η with the factor a that the rule tells, 1 where it tells none.
    """
    parameter = nn.Parameter(torch.zeros(shape))
    optimizer = make([parameter])
    group = optimizer.param_groups[0]
    rows, last = [], torch.zeros(shape)
    for step in range(steps):
        before = parameter.detach().clone()
        parameter.grad = gradient()
        optimizer.step()
        if step < steps - late - 1:
            continue
        factor = resolve(optimizer, group, parameter).decay_factor()
        after = parameter.detach()
        update = (before * (1.0 if factor is None else factor) - after) / float(group["lr"])
        rows.append(
            (
                after.norm().item(),
                torch.arccos(_cosine(before, after)).item(),
                update.square().sum().item(),
                _cosine(last, update).item(),
            )
        )
        last = update
    norm, angle, energy, cosine = torch.tensor(rows[1:], dtype=torch.float64).mean(0).tolist()
    rule = resolve(optimizer, group, parameter)
    state = optimizer.state[parameter]
    return Course(norm, angle, energy, cosine, rule, parameter, state, last)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return torch.cosine_similarity(one.double().flatten(), other.double().flatten(), dim=0).clamp(
        max=1.0
    )
