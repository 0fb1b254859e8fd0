"""Fresh weights, some with dead columns, and weights that a direction was written into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator

from spectrain.answers.course import PlantedRun, Script
from spectrain.answers.finding import Finding, Group
from spectrain.answers.randomness.row import RandomnessRow, Verdict

_SHAPE = (32, 24)
_SHAPES = {"a": _SHAPE}
_MEASURES = ("weight/frobenius_norm",)
_DEAD = 5

Found = Finding[RandomnessRow, Group]


class Killing(torch.optim.SGD):
    """Sets the first columns to zero."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, and set the columns to zero."""
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter[:, :_DEAD] = 0
        return loss


def _nothing(generator: Generator) -> Script:
    return Script(lambda step: {"a": torch.zeros(_SHAPE)})


def _direction(generator: Generator) -> Script:
    """One direction, 1.5 times as long as the largest singular value of fresh weights."""
    u, v = (torch.randn(size, generator=generator) for size in _SHAPE)
    length = 1.5 * 0.1 * (_SHAPE[0] ** 0.5 + _SHAPE[1] ** 0.5)
    step_of = torch.outer(u, v) * (length / (u.norm() * v.norm()))
    return Script(lambda step: {"a": step_of if step == 0 else torch.zeros(_SHAPE)})


def _alike(generator: Generator) -> Script:
    """Steps to a matrix whose singular values are all far above those of fresh weights."""
    turned, _ = torch.linalg.qr(torch.randn(_SHAPE, generator=generator))
    return Script(lambda step: {"a": 100 * turned if step == 0 else torch.zeros(_SHAPE)})


def _is(*verdicts: Verdict) -> Callable[[Found], bool]:
    return lambda finding: any(row.verdict in verdicts for row in finding.rows)


def _one(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0)


_OTHER = tuple(v for v in Verdict if v not in (Verdict.NONE, Verdict.UNKNOWN))
_NOT_RANDOM, _SPIKE = "a matrix is not called random", "directions stand apart"
PLANTED = (
    PlantedRun(
        name="fresh Gaussian weights",
        claim=_NOT_RANDOM,
        true=False,
        draw=_nothing,
        said=_is(*_OTHER),
        steps=1,
        shapes=_SHAPES,
        measures=_MEASURES,
    ),
    PlantedRun(
        name="fresh weights of which a fifth of the columns is dead",
        claim=_NOT_RANDOM,
        true=False,
        draw=_nothing,
        said=_is(*_OTHER),
        steps=1,
        optimizer=lambda parameters: Killing(parameters, lr=0.0),
        shapes=_SHAPES,
        measures=_MEASURES,
    ),
    PlantedRun(
        name="fresh weights and one direction 1.5 times their operator norm",
        claim=_SPIKE,
        true=True,
        draw=_direction,
        said=_is(Verdict.SPIKES),
        steps=1,
        optimizer=_one,
        shapes=_SHAPES,
        measures=_MEASURES,
    ),
    PlantedRun(
        name="singular values that nearly agree",
        claim=_NOT_RANDOM,
        true=True,
        draw=_alike,
        said=_is(*_OTHER),
        steps=1,
        optimizer=_one,
        shapes=_SHAPES,
        measures=_MEASURES,
    ),
)
