"""Experiments 1 and 3: an arm's best step size by the common sweep, then its runs at that size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.arms import ARMS, CHEAP, MAIN, ON_ADAM, ON_MOMENTUM, PRINTED, Arm
from spectrain_studies.rank.config import Interventions, RankConfig, Task, Training
from spectrain_studies.rank.data import available
from spectrain_studies.rank.stack import Stack
from spectrain_studies.rank.train import rates_of_sizes, sampled_steps, train

TUNING_SEED = 1000
"""First seed of the sweeps; the runs that are compared begin at 0."""


@dataclass(frozen=True)
class ArmCase:
    """One arm on one model."""

    task: Task
    arm: str
    training: Training
    interventions: Interventions

    @property
    def model(self) -> str:
        """Kind of the model."""
        return self.task.kind


def run_arm(case: ArmCase) -> Outcome:
    """Sweep step sizes, then train the seeds at the best.

    Returns:
        ``size`` that was best, ``sweep`` (size × tuning seed: final held-out loss), ``edge`` if the
        best size is at an end of the sweep (see :func:`at_an_end`), ``names`` of the matrices and
        ``hidden`` among them, ``full`` ranks, and the arrays of
        :class:`spectrain_studies.rank.train.Trace`.
    """
    arm, plan = ARMS[case.arm], case.training
    sizes = torch.tensor(plan.sizes)
    seeds = range(TUNING_SEED, TUNING_SEED + plan.tuning_seeds)
    tried = Stack(case.task, [seed for _ in plan.sizes for seed in seeds])
    rates = rates_of_sizes(
        tried, arm, case.interventions, sizes.repeat_interleave(plan.tuning_seeds)
    )
    swept = train(tried, arm, case.interventions, rates, steps=plan.steps, samples=[plan.steps - 1])
    sweep = swept.held_out[-1].reshape(len(sizes), -1).numpy()
    size = best_size(plan.sizes, sweep.mean(1))
    stack = Stack(case.task, range(plan.seeds))
    rates = rates_of_sizes(stack, arm, case.interventions, torch.full((plan.seeds,), size))
    trace = train(
        stack,
        arm,
        case.interventions,
        rates,
        steps=plan.steps,
        samples=sampled_steps(plan.steps, plan.samples),
    )
    return {
        "size": size,
        "sweep": sweep,
        "edge": at_an_end(plan.sizes, sweep.mean(1)),
        "names": np.array(stack.matrices),
        "hidden": np.array([name in stack.hidden for name in stack.matrices]),
        "full": np.array([min(stack.parameters[n].flatten(2).shape[1:]) for n in stack.matrices]),
        **trace.arrays(),
    }


def best_size(sizes: Sequence[float], losses: np.ndarray) -> float:
    """The size of least loss: the vertex of the parabola in log size through it and its neighbours.

    At an end of the sweep, beside a size of 0 or beside a run that diverged, the size itself.

    Example:
        >>> round(best_size([0.1, 1.0, 10.0], np.array([2.0, 1.0, 2.0])), 6)
        1.0
    """
    best = int(np.argmin(losses))
    beside = losses[best - 1 : best + 2]
    if best in (0, len(sizes) - 1) or sizes[best - 1] == 0 or not np.isfinite(beside).all():
        return float(sizes[best])
    logs = np.log(np.asarray(sizes[best - 1 : best + 2]))
    curvature, slope, _ = np.polyfit(logs, beside, 2)
    vertex = np.clip(-slope / (2 * curvature), logs[0], logs[-1]) if curvature > 0 else logs[1]
    return float(np.exp(vertex))


def at_an_end(sizes: Sequence[float], losses: np.ndarray) -> bool:
    """Whether sizes beyond the sweep could do better: none does beyond 0, which stands still.

    Example:
        >>> losses = np.array([1.0, 2.0, 3.0])
        >>> at_an_end([1e-4, 1e-3, 1e-2], losses), at_an_end([0.0, 1e-3, 1e-2], losses)
        (True, False)
    """
    best = int(np.argmin(losses))
    return best == len(sizes) - 1 or (best == 0 and sizes[0] > 0)


def cases(config: RankConfig, arms: Sequence[Arm]) -> list[ArmCase]:
    """One case an arm and model, models without data left out."""
    return [
        ArmCase(task, arm.name, config.training_of(task), config.interventions)
        for task in config.tasks()
        if available(task)
        for arm in arms
    ]


DYNAMICS = Experiment("optimizers", run_arm, partial(cases, arms=MAIN))
AS_PRINTED = Experiment("as-printed", run_arm, partial(cases, arms=PRINTED))
ADAM_UPDATES = Experiment("adam-updates", run_arm, partial(cases, arms=ON_ADAM))
MOMENTUM_UPDATES = Experiment("momentum-updates", run_arm, partial(cases, arms=ON_MOMENTUM))
CHEAP_UPDATES = Experiment("cheap-updates", run_arm, partial(cases, arms=CHEAP))
