"""Verification: changes against the base on fresh windows, each side at its own best rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectrain.trials.arm import ArmOutcome
from spectrain.trials.bench import Bench
from spectrain.trials.budget import LOOKS, RATES, fresh_windows
from spectrain.trials.changes import Change
from spectrain.trials.effects import LEVEL, NEVER, paired
from spectrain.trials.horizon import carried
from spectrain.trials.result import Verification
from spectrain.trials.screen import applied
from spectrain.trials.snapshot import Snapshot


def verify(
    bench: Bench,
    chosen: Sequence[Change],
    snapshots: Sequence[Snapshot],
    first: int,
    steps: int,
    notes: list[str],
) -> Verification:
    """Compare base and changed set-up.

    Args:
        bench: runs the arms.
        chosen: the changes, together.
        snapshots: where arms start; rates are chosen at the last.
        first: number of the first window that no choice was made by.
        steps: length of the run that is to be advised.
        notes: what happened to arms is added here.
    """
    sides = (bench.base, applied(chosen, bench.base))
    tuning = bench.window(snapshots[-1], 0)
    tuned = bench.run([(side, tuning, rate) for side in sides for rate in RATES])
    best = [_best(tuned[: len(RATES)]), _best(tuned[len(RATES) :])]
    for name, rate in zip(("the base", "the changed set-up"), best, strict=True):
        if rate == RATES[-1]:
            notes.append(f"{name} does best at {rate:g} times its rates: tune them upwards first")
    windows = [
        bench.window(snapshot, first + number)
        for snapshot in snapshots
        for number in range(fresh_windows(len(snapshots)))
    ]
    arms = [(side, w, rate) for side, rate in zip(sides, best, strict=True) for w in windows]
    outcomes = bench.run(arms)
    base, other = outcomes[: len(windows)], outcomes[len(windows) :]
    notes += [f"{one.problem} in the verification" for one in outcomes if one.problem]
    differences = np.array([o.loss - b.loss for b, o in zip(base, other, strict=True)])
    level = 1 - (1 - LEVEL) / LOOKS
    finite = bool(np.isfinite(differences).all())
    effect = paired(differences, level=level) if finite else NEVER
    loss = float(np.mean([one.loss for one in base]))
    return Verification(
        tuple(change.name for change in chosen),
        effect,
        carried(effect, loss, length=bench.budget.branch / steps, level=level),
        level,
        (best[0], best[1]),
        tuple(zip((w.snapshot.step for w in windows), differences.tolist(), strict=True)),
        tuple((b.course, o.course) for b, o in zip(base, other, strict=True)),
    )


def _best(outcomes: Sequence[ArmOutcome]) -> float:
    losses = np.array([outcome.loss for outcome in outcomes])
    return RATES[int(np.nanargmin(losses))] if np.isfinite(losses).any() else 1.0
