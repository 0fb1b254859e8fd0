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
class Trials:
    """Which changes are compared.

    Attributes:
        sizes: of branches and trainings.
        changes: of each workload, the first ones, beside the base.
    """

    sizes: Branches = Branches()
    changes: int = 4


PAPER = Trials()
QUICK = Trials(Branches(workloads=2, steps=6, horizons=(1, 2, 3), held_out=1, tested=1))

THINNED = {
    "quick": ("Trials: 6 steps on 2 workloads.",),
    "paper": (
        "Trials: networks of 8,000 to 50,000 parameters over 400 steps, 2 seeds a change; usual "
        "rates, doubled on language, where a search found that better.",
    ),
}
