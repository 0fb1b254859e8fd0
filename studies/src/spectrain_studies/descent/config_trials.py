"""Sizes of the trials: how long branches and trainings are, on how many workloads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Branches:
    """Short branches against whole trainings; the document has no such experiment.

    Attributes:
        workloads: how many of them, the first ones.
        steps: of a whole training.
        seeds: whole trainings of each change.
        horizons: steps of branches, ascending.
        held_out: batches that branches are compared on.
        tested: batches that trainings are judged on.
    """

    workloads: int = 8
    steps: int = 400
    seeds: int = 2
    horizons: tuple[int, ...] = (20, 50, 200)
    held_out: int = 3
    tested: int = 8


@dataclass(frozen=True)
class Whole:
    """Whole trainings of the advised and the usual set-up; the document has no such experiment.

    Attributes:
        workloads: how many of them, the first ones.
        steps: of a training.
        rates: factors on all learning rates, ascending; each set-up takes its best.
        tuning: trainings that choose it.
        seeds: others, which judge.
        tested: batches that trainings are judged on.
    """

    workloads: int = 10
    steps: int = 400
    rates: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    tuning: int = 2
    seeds: int = 10
    tested: int = 8


@dataclass(frozen=True)
class Trials:
    """Which changes are compared.

    Attributes:
        sizes: of branches and trainings.
        changes: of each workload, the first ones, beside the base.
        whole: trainings of the advised set-up.
    """

    sizes: Branches = Branches()
    changes: int = 4
    whole: Whole = Whole()


PAPER = Trials()
QUICK = Trials(
    Branches(workloads=2, steps=6, horizons=(1, 2, 3), held_out=1, tested=1),
    whole=Whole(workloads=4, steps=6, rates=(0.5, 1.0, 2.0), tuning=1, seeds=2, tested=1),
)

THINNED = {
    "quick": ("Trials and whole trainings: 6 steps on 2 and 4 workloads.",),
    "paper": (
        "Trials: networks of 8,000 to 50,000 parameters over 400 steps, 2 seeds a change; usual "
        "rates, doubled on language, where a search found that better.",
    ),
}
