"""What a calibration runs: trainings whose truth is known, and what may be said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.answers.finding import Finding

Gradients = Mapping[str, Tensor]
"""The gradient of every block of one microbatch, by name."""


@dataclass(frozen=True, slots=True)
class Script:
    """One drawn training.

    Attributes:
        gradients: of a microbatch, given the step.
        losses: logged after each step; none if empty.
    """

    gradients: Callable[[int], Gradients]
    losses: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedRun:
    """A kind of training whose truth is known, for which a claim is true or false.

    Attributes:
        name: of the kind; runs of one name are trained alike, and may differ in their claim.
        claim: what is counted, such as "a rank falls or rises".
        true: whether the claim is true of it: its share is the power, else the false positives.
        shapes: of the blocks.
        draw: one training, out of a generator.
        said: whether a finding makes the claim.
        steps: of the training.
        every: steps between two samples.
        microbatches: accumulated before each step.
        optimizer: made from the parameters, in the order of ``shapes``; several where each steps
            some of them.
        measures: to record, as patterns; all if not given.
    """

    name: str
    claim: str
    true: bool
    shapes: Mapping[str, tuple[int, int]]
    draw: Callable[[torch.Generator], Script]
    said: Callable[[Finding[Any, Any]], bool]
    steps: int = 60
    every: int = 1
    microbatches: int = 1
    optimizer: Callable[[Iterable[torch.nn.Parameter]], Optimizer | Sequence[Optimizer]] = field(
        default=lambda parameters: torch.optim.SGD(parameters, lr=0.0)
    )
    measures: tuple[str, ...] = ("*",)
