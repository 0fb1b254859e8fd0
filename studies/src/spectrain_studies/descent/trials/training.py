"""A whole training of a workload by a set-up, and what it reaches."""

from __future__ import annotations

from math import isfinite, nan

from torch import nn

from spectrain.trials import SetUp
from spectrain.trials.arm import train_step
from spectrain.trials.source import Batches, Source
from spectrain_studies.descent.trials.workloads import Workload

WARM_UP = 0.05
"""Share of the steps over which rates rise; then they fall linearly to zero."""


def trained(
    workload: Workload, setup: SetUp, *, steps: int, seed: int, tested: int, rate: float = 1.0
) -> float:
    """Held-out loss at the end of a training; NaN where it diverged.

    Args:
        workload: what is trained.
        setup: how.
        steps: of the training.
        seed: of initial weights and batches.
        tested: number of held-out batches.
        rate: factor on all learning rates.
    """
    source = source_of(workload, seed, tested)
    model = workload.make(seed)
    model.train()
    optimizers = setup.optimizers(model)
    warm = max(1, round(WARM_UP * steps))
    for step in range(steps):
        factor = min((step + 1) / warm, (steps - step) / (steps - warm))
        if not isfinite(train_step(source, model, optimizers, step, rate * factor)):
            return nan
    losses = source.evaluate(model)
    return sum(losses) / len(losses)


def source_of(workload: Workload, seed: int, tested: int) -> Source:
    """The workload as trials take it, held out being what trainings are judged on."""

    def make() -> nn.Module:
        return workload.make(seed)

    return Source(make, workload.loss, Batches(workload.batches(seed)), workload.tested(tested))
