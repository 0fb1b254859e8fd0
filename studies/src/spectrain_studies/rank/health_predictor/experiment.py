"""Pairs of runs, AdamW's and Muon's, on set-ups of many kinds: their first tenth and their end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spectrain.matrix import MEASURES, diagonal_spectrum
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.arms import ARMS
from spectrain_studies.rank.config import Interventions, RankConfig, Task
from spectrain_studies.rank.data import TEXT, available, held_out
from spectrain_studies.rank.health_predictor.plan import HealthPlan
from spectrain_studies.rank.learning import TUNING_SEED, best_size
from spectrain_studies.rank.stack import Stack
from spectrain_studies.rank.train import Trace, rates_of_sizes, sampled_steps, train

PAIR = ("adamw", "muon")
MEASURED = ("effective_rank", "nuclear_rank", "stable_rank")
"""Measures of the gradients, each over full rank."""
_TEXTS = ("python", "shakespeare")
_CONTEXT, _PLACES = 16, 4


@dataclass(frozen=True)
class PairCase:
    """One set-up, and how both optimizers are trained on it."""

    task: Task
    plan: HealthPlan

    @property
    def kind(self) -> str:
        """Kind of the model."""
        return self.task.kind


def early_steps(plan: HealthPlan) -> int:
    """Steps that a prediction may look at.

    Example:
        >>> early_steps(HealthPlan(steps=200, early=0.1))
        20
    """
    return max(round(plan.early * plan.steps), 3)


def run_pair(case: PairCase) -> Outcome:
    """Sweep each optimizer's step size, then train both on the same batches at their best.

    Returns:
        For ``adamw`` and ``muon``: ``size`` that was best and ``edge`` if it ends the sweep;
        ``train``, the losses of the early steps' own batches (steps × seeds); ``held_out`` at the
        first step, the last early step and the end (3 × seeds); and each of :data:`MEASURED` of
        the median hidden matrix's gradient (samples × seeds).
    """
    found: dict[str, np.ndarray | float | bool] = {}
    for name in PAIR:
        for key, value in _one(case, name).items():
            found[f"{name}_{key}"] = value
    return found


def _one(case: PairCase, name: str) -> dict[str, np.ndarray | float | bool]:
    plan = case.plan
    seeds = range(TUNING_SEED, TUNING_SEED + plan.tuning_seeds)
    tried = Stack(case.task, [seed for _ in plan.sizes for seed in seeds])
    sizes = torch.tensor(plan.sizes).repeat_interleave(plan.tuning_seeds)
    last = plan.steps - 1
    _, ends = _trained(tried, name, sizes, plan, [last])
    losses = ends[-1].reshape(len(plan.sizes), -1).mean(1).numpy()
    size = best_size(plan.sizes, losses)
    stack = Stack(case.task, range(plan.seeds))
    early = early_steps(plan)
    looked = sampled_steps(early, plan.samples)
    trace, ends = _trained(stack, name, torch.full((plan.seeds,), size), plan, [*looked, last])
    return {
        "size": size,
        "edge": bool(np.argmin(losses) in (0, len(losses) - 1)),
        "train": torch.stack(trace.train[:early]).numpy(),
        "held_out": torch.stack(ends).numpy(),
        **_shares(stack, trace, len(looked)),
    }


def _trained(
    stack: Stack, name: str, sizes: Tensor, plan: HealthPlan, samples: list[int]
) -> tuple[Trace, list[Tensor]]:
    """The run, and its enlarged held-out losses at the first and the last two samples."""
    arm, settings, ends = ARMS[name], Interventions(), list[Tensor]()
    evaluation = held_out(stack.task, times=plan.held_out)

    wanted = {samples[0], samples[-2], samples[-1]} if len(samples) > 1 else {*samples}

    @torch.no_grad()
    def look(step: int) -> None:
        if step in wanted:
            ends.append(stack.losses(evaluation, shared=True))

    rates = rates_of_sizes(stack, arm, settings, sizes)
    trace = train(stack, arm, settings, rates, steps=plan.steps, samples=samples, at=look)
    diverged = ~torch.stack(trace.train).isfinite().all(0)
    return trace, [losses.where(~diverged, torch.inf) for losses in ends]


def _shares(stack: Stack, trace: Trace, looked: int) -> dict[str, np.ndarray]:
    """Measures of the gradients over full rank, of the median hidden matrix."""
    hidden = [number for number, name in enumerate(stack.matrices) if name in stack.hidden]
    found: dict[str, np.ndarray] = {}
    for measure in MEASURED:
        courses = []
        for number in hidden:
            full = min(stack.parameters[stack.matrices[number]].flatten(2).shape[1:])
            values = torch.stack([s[number, :, :full] for s in trace.spectra["gradient"][:looked]])
            courses.append(MEASURES[measure](diagonal_spectrum(values)) / full)
        found[measure] = torch.stack(courses).median(0).values.numpy()
    return found


def tasks(plan: HealthPlan, *, like: RankConfig) -> list[Task]:
    """Every kind in every shape; texts alternate.

    A convolution has a quarter of the width. A batch of text holds a quarter of the sequences, of
    16 characters each, and the mixer's a quarter of the images, of 49 patches each.
    """
    made = []
    for kind in plan.kinds:
        for number, (layers, width, batch) in enumerate(plan.shapes):
            few = batch // _PLACES if kind in TEXT or kind == "mixer" else batch
            if kind in TEXT:
                base = replace(like.gpt, context=_CONTEXT, text=_TEXTS[number % 2])
            else:
                base = replace(like.mlp, examples=4 * like.mlp.examples)
            width = max(width // 4, 4) if kind == "conv" else width
            made.append(replace(base, kind=kind, layers=layers, width=width, batch=few))
    return made


def cases(config: RankConfig) -> list[PairCase]:
    """One case a set-up whose data is here."""
    plan = config.health
    return [PairCase(t, plan) for t in tasks(plan, like=config) if available(t)]


PAIRS = Experiment("health-pairs", run_pair, cases)
