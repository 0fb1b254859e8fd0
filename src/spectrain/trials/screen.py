"""Screening: every change in half of the arms of a design, those that rule out others alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from spectrain.core import InputError
from spectrain.trials.arm import ArmOutcome
from spectrain.trials.bench import Bench
from spectrain.trials.budget import screening_windows
from spectrain.trials.changes import Change
from spectrain.trials.design import screening
from spectrain.trials.effects import Effect, main_effects, paired
from spectrain.trials.setup import SetUp
from spectrain.trials.snapshot import Snapshot


def arms_of(tried: Sequence[Change]) -> int:
    """How many arms a screening of these changes has.

    Example:
        >>> from spectrain.trials.changes import Change
        >>> one = [Change(str(n), lambda setup: setup, ()) for n in range(3)]
        >>> arms_of(one), arms_of([*one, Change("all", lambda setup: setup, (), alone=True)])
        (4, 5)
    """
    alone = sum(change.alone for change in tried)
    together = len(tried) - alone
    return (len(screening(together)) if together else 1) + alone


def applied(changes: Sequence[Change], base: SetUp) -> SetUp:
    """The base with changes, one after the other."""
    return reduce(lambda setup, change: change(setup), changes, base)


def screen(
    bench: Bench, tried: Sequence[Change], snapshots: Sequence[Snapshot], notes: list[str]
) -> list[Effect | None]:
    """Effects of changes on the first windows of the snapshots; ``None`` where they diverge.

    Args:
        bench: runs the arms.
        tried: the changes.
        snapshots: where arms start.
        notes: what happened to arms is added here.
    """
    together = [change for change in tried if not change.alone]
    alone = [change for change in tried if change.alone]
    design = screening(len(together)) if together else np.zeros((1, 0), dtype=np.int8)
    held = [[together[j] for j in np.flatnonzero(row)] for row in design]
    held += [[change] for change in alone]
    windows = [
        bench.window(snapshot, number)
        for snapshot in snapshots
        for number in range(screening_windows(len(snapshots)))
    ]
    setups = [applied(changes, bench.base) for changes in held]
    outcomes = bench.run([(setup, window, 1.0) for setup in setups for window in windows])
    losses = np.array([outcome.loss for outcome in outcomes]).reshape(len(held), len(windows))
    notes += _ended_early(held, outcomes, len(windows))
    effects = dict(zip(together, _effects(design, losses[: len(design)]), strict=True))
    for change, row in zip(alone, losses[len(design) :] - losses[0], strict=True):
        effects[change] = paired(row) if np.isfinite(row).all() else None
    return [effects[change] for change in tried]


def _effects(design: NDArray[np.int8], losses: NDArray[np.float64]) -> list[Effect | None]:
    """Main effects of the columns that the finite arms can separate."""
    finite = np.asarray(np.isfinite(losses).all(axis=1))
    kept = [j for j in range(design.shape[1]) if finite[design[:, j] == 1].any()]
    while kept:
        try:
            effects = main_effects(design[:, kept], losses)
        except InputError:  # too many arms diverged to separate all of them
            kept.pop()
        else:
            return [effects[kept.index(j)] if j in kept else None for j in range(design.shape[1])]
    return [None] * design.shape[1]


def _ended_early(
    held: Sequence[Sequence[Change]], outcomes: Sequence[ArmOutcome], windows: int
) -> list[str]:
    lines = []
    for number, outcome in enumerate(outcomes):
        if outcome.problem:
            names = ", ".join(change.name for change in held[number // windows]) or "no change"
            lines.append(f"the arm with {names}: {outcome.problem}")
    return lines
