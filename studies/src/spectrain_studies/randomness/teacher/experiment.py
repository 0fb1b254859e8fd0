"""Teacher and student: the other model whose drift is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch

from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.teacher_student import TeacherStudent
from spectrain_studies.randomness.config import Config

SIZE, LEVEL = 2, 2.0


@dataclass(frozen=True, slots=True)
class LinearCase:
    """One α, |B| and ε."""

    rate: float
    batch: int
    noise: float
    runs: int
    updates: int
    warm: bool
    seed: int = 0


def linear_cases(config: Config) -> list[LinearCase]:
    one = config.linear
    rate, batch, noise = one.base
    points = [(rate, b, noise) for b in one.batches]
    points += [(r, batch, noise) for r in one.rates] + [(rate, batch, e) for e in one.noises]
    points += [(r, batch, noise) for r in one.small_rates]
    return [
        LinearCase(
            r, b, e, one.runs, one.updates or ceil(one.settle / r), warm=not one.updates, seed=index
        )
        for index, (r, b, e) in enumerate(dict.fromkeys(points))
    ]


def run_linear(case: LinearCase) -> Outcome:
    """Singular values of every student, ascending, and the mean validation loss ½|ΔW|²_F."""
    generator = torch.Generator().manual_seed(case.seed)
    teacher = LEVEL * torch.eye(SIZE, dtype=torch.float64)
    start = teacher.expand(case.runs, SIZE, SIZE)
    if not case.warm:
        start = 0.1 * torch.empty_like(start).normal_(generator=generator)
    students = TeacherStudent(teacher, case.noise).train(
        start, rate=case.rate, batch=case.batch, updates=case.updates, generator=generator
    )
    return {
        "values": torch.linalg.svdvals(students).flip(-1).numpy(),
        "loss": (students - teacher).square().sum((-2, -1)).numpy() / 2,
    }


LINEAR: Experiment[Config] = Experiment("linear", run_linear, linear_cases)
