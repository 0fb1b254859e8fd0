"""Weights on the way: copies trained by one optimizer, handed out at stages of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain_studies.rank.arms import ARMS
from spectrain_studies.rank.config import Interventions, Probing, RankConfig, Task
from spectrain_studies.rank.data import available
from spectrain_studies.rank.stack import Stack
from spectrain_studies.rank.train import Trace, rates_of_sizes, sampled_steps, train

PROBE_STEP = 10**6
"""Number of the first batch that is drawn for probing, beyond every training run."""


@dataclass(frozen=True)
class ProbeCase:
    """One model, trained by one arm at one step size, probed on the way."""

    task: Task
    arm: str
    probing: Probing
    samples: int = 0

    @property
    def model(self) -> str:
        """Kind of the model."""
        return self.task.kind


def stages(probing: Probing) -> list[int]:
    """The steps after which a run is probed.

    Example:
        >>> stages(Probing(steps=10, stages=(0.1, 1.0)))
        [0, 9]
    """
    return sorted({max(round(share * probing.steps) - 1, 0) for share in probing.stages})


def probe(case: ProbeCase, look: Callable[[Stack, int], None]) -> tuple[Stack, Trace]:
    """Train the case's copies, and look at them at every stage (and sample its spectra)."""
    probing, arm, settings = case.probing, ARMS[case.arm], Interventions()
    stack = Stack(case.task, range(probing.seeds))
    sizes = torch.full((probing.seeds,), probing.size)
    rates = rates_of_sizes(stack, arm, settings, sizes)
    looked = set(stages(probing))
    samples = looked | set(sampled_steps(probing.steps, case.samples) if case.samples else ())

    def at(step: int) -> None:
        if step in looked:
            look(stack, step)

    return stack, train(
        stack, arm, settings, rates, steps=probing.steps, samples=sorted(samples), at=at
    )


def gradients(stack: Stack, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The gradient of every hidden matrix, on the batch of every copy."""
    weights = {name: p.detach().requires_grad_() for name, p in stack.parameters.items()}
    losses = stack.losses(batch, parameters=weights)
    found = torch.autograd.grad(losses.sum(), [weights[name] for name in stack.hidden])
    return dict(zip(stack.hidden, found, strict=True))


def probe_cases(config: RankConfig, *, arm: str) -> list[ProbeCase]:
    """One case a model whose data is here."""
    return [ProbeCase(t, arm, config.probing) for t in config.tasks() if available(t)]
