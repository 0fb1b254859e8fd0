"""An arm: a set-up that goes on from a snapshot for a while, its rate decaying to zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import torch
from torch import nn
from torch.optim import Optimizer

from spectrain.trials.setup import SetUp
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Source

RISE = 3
"""Steps in which the rate of an arm rises, so that a new rule starts as gently as an old one."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where arms are compared: a snapshot and the batches that follow.

    Attributes:
        snapshot: what all arms start from.
        first: number of the first batch.
        steps: optimizer steps of an arm.
    """

    snapshot: Snapshot
    first: int
    steps: int


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """What became of an arm.

    Attributes:
        losses: of the held-out batches; NaN where it diverged.
        passes: forward and backward passes that it took.
        problem: why it ended early.
        course: training loss before each step.
    """

    losses: tuple[float, ...]
    passes: int
    problem: str | None = None
    course: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """Mean held-out loss; NaN where the arm diverged."""
        return sum(self.losses) / len(self.losses)


def run_arm(source: Source, setup: SetUp, window: Window, *, rate: float = 1.0) -> ArmOutcome:
    """Train from the window's snapshot on its batches and evaluate on what is held out.

    A loss that is not finite, or memory that does not suffice, ends this arm alone.

    Args:
        source: model, loss and data.
        setup: the arm's.
        window: where it starts and how long it lasts.
        rate: factor on all learning rates.
    """
    model = source.make()
    window.snapshot.restore(model)
    if not model.training:
        model.train()
    optimizers = setup.optimizers(model)
    passes = window.snapshot.carry(model, optimizers, source, window.first)
    nothing = tuple(float("nan") for _ in source.held_out)
    course: list[float] = []
    try:
        for number in range(window.steps):
            rise = min(1.0, (number + 1) / RISE)
            factor = rate * min(rise, (window.steps - number) / window.steps)
            loss = train_step(source, model, optimizers, window.first + number, factor)
            passes += 1
            course.append(loss)
            if not isfinite(loss):
                problem = f"its loss was {loss} after {number} steps"
                return ArmOutcome(nothing, passes, problem, tuple(course))
        losses = tuple(source.evaluate(model))
    except torch.OutOfMemoryError as error:
        problem = f"out of memory: {str(error).splitlines()[0]}"
        return ArmOutcome(nothing, passes, problem, tuple(course))
    if not all(map(isfinite, losses)):
        return ArmOutcome(nothing, passes, "its held-out loss is not finite", tuple(course))
    return ArmOutcome(losses, passes, None, tuple(course))


def train_step(
    source: Source,
    model: nn.Module,
    optimizers: Iterable[Optimizer],
    step: int,
    factor: float,
) -> float:
    """One step of all optimizers at a share of their peak rates; the loss before it."""
    with source.drawn_alike(model, step):
        loss = source.loss(model, source.batches[step])
    if not bool(loss.isfinite()):
        return float(loss)
    loss.backward()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        optimizer.step()
    model.zero_grad(set_to_none=True)
    return float(loss.detach())
