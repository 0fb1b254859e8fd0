"""``trial``: try changes of an optimizer set-up on short branches, adopt what gains for sure.

Arms fork from snapshots of a training of the base, get the same batches and a decay to zero of
their own, and are compared on the same held-out batches, in pairs. A two-level design screens all
changes at once; what looks like a gain is verified together, on batches that no choice was made by,
each side at its own best rate. Looks are few and share one error rate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spectrain.core import InputError
from spectrain.monitor.progress import bar
from spectrain.network import find_blocks
from spectrain.sweeps import Task, run_tasks
from spectrain.trials.arm import ArmOutcome, Window, run_arm, train_step
from spectrain.trials.budget import (
    LOOKS,
    PER_SNAPSHOT,
    RATES,
    Budget,
    plan_budget,
    verification_runs,
)
from spectrain.trials.changes import Change, candidates
from spectrain.trials.design import screening
from spectrain.trials.effects import LEVEL, Effect, main_effects, paired
from spectrain.trials.result import ChangeEffect, TrialResult, Verification
from spectrain.trials.setup import SetUp, usual_setup
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Loss, Source

PROMISING = 0.25
"""Changes whose probability of harm in the screening lies below this are verified."""

Changes = Sequence[Change] | Callable[[SetUp], Sequence[Change]]


def trial(
    model: nn.Module | Callable[[], nn.Module],
    loss_fn: Loss,
    batches: Callable[[int], Any] | Iterable[Any],
    held_out: Iterable[Any],
    changes: Changes | None = None,
    *,
    steps: int,
    base: SetUp | None = None,
    share: float | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    workers: int = 1,
    backend: str = "loky",
    progress: bool = True,
) -> TrialResult:
    """Try changes of an optimizer set-up for a model, and adopt those that gain for sure.

    The model is copied and left as it was, as is the state of the random numbers.

    Args:
        model: as the run will start with it, or a function that makes it (for several processes one
            that can be pickled).
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batches: training batches: a function of the step, a list that is taken in turn, or an
            iterator.
        held_out: batches that losses are compared on; a few hundred examples in all do.
        changes: to be tried, or a function of the base that makes them; by default
            :func:`~spectrain.trials.candidates`.
        steps: length of the run that is to be advised; sets the budget.
        base: the set-up to improve, with its rates tuned; by default the usual routing.
        share: of the run that the trial may cost: 15 % by default, 40 % below 2,000 steps.
        seed: of dropout.
        folder: where outcomes are kept, so that an interrupted trial goes on; nowhere by default.
        workers: processes.
        backend: ``"loky"``, ``"ray"`` or ``"dask"``, see :func:`spectrain.sweeps.run_tasks`.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        InputError: the budget is too small, the model cannot be copied, the batches end, the loss
            cannot be repeated, the base diverges, or two changes have one name.

    Source:
        “Information Flow & Gradient Quality Hypothesis”, Experiment 3; Davis & Drusvyatskiy, §1.2.

    Example:
        >>> import torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> data = [torch.randn(16, 8, generator=draw) for _ in range(40)]
        >>> model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        >>> loss = lambda m, x: (m(x) - x.flip(1)).square().mean()
        >>> def changes(base):
        ...     return [to_adamw(base, "0.weight")]
        >>> from spectrain.trials import to_adamw
        >>> found = trial(model, loss, data[:30], data[30:32], changes, steps=1500)
        >>> found.share < 0.4, len(found.effects)
        (True, 1)
    """
    source = Source.of(model, loss_fn, batches, held_out, seed=seed)
    fresh = source.make()
    setup = usual_setup(fresh, find_blocks(fresh)) if base is None else base
    tried = _changes(changes, setup, fresh)
    if not tried:
        return TrialResult(setup, setup, (), (), 0, 0.0, 0, (0,), ("no change applies",))
    tried, budget, left_out = _affordable(tried, steps, share, len(source.held_out))
    with TemporaryDirectory() as scratch:
        place = Path(scratch if folder is None else folder)
        with bar("trial", budget.passes, shown=progress) as advance:
            bench = _Bench(source, setup, budget, place, workers, backend, advance)
            return _conduct(bench, tried, left_out, steps)


def _affordable(
    tried: tuple[Change, ...], steps: int, share: float | None, held_out: int
) -> tuple[tuple[Change, ...], Budget, tuple[Change, ...]]:
    """As many changes as the budget allows, the first ones first, and those left out."""
    for count in range(len(tried), 0, -1):
        try:
            budget = plan_budget(steps, len(screening(count)), share=share, held_out=held_out)
        except InputError:
            if count == 1:
                raise
        else:
            return tried[:count], budget, tried[count:]
    raise AssertionError("unreachable")


@dataclass(slots=True)
class _Bench:
    """Runs arms and keeps account."""

    source: Source
    base: SetUp
    budget: Budget
    place: Path
    workers: int
    backend: str
    advance: Callable[[], None]
    passes: int = 0

    def trunk(self) -> list[Snapshot]:
        """Snapshots of a training of the base at constant rates."""
        model = self.source.make()
        model.train()
        optimizers = self.base.optimizers(model)
        found = []
        last = self.budget.snapshots[-1]
        for step in range(last + 1):
            if step in self.budget.snapshots:
                found.append(Snapshot.take(step, model, optimizers))
            if step < last:
                rise = min(1.0, (step + 1) / self.budget.snapshots[0])
                loss = train_step(self.source, model, optimizers, step, rise)
                if not np.isfinite(loss):
                    raise InputError(
                        f"the base diverges: its loss is {loss} at step {step}",
                        remedy="lower its rates: base=usual_setup(model, network, muon_lr=…)",
                    )
                self.passes += 1
                self.advance()
        return found

    def window(self, snapshot: Snapshot, number: int) -> Window:
        """The number-th window of a snapshot: its batches follow those of the one before."""
        return Window(snapshot, snapshot.step + number * self.budget.branch, self.budget.branch)

    def run(self, arms: Sequence[tuple[SetUp, Window, float]]) -> list[ArmOutcome]:
        """Outcomes of arms, those on disk included."""
        tasks = [
            Task(_attempt, (self.source, *arm), self.place / f"{_digest(*arm)}.npz") for arm in arms
        ]
        found = []
        done = run_tasks(tasks, workers=self.workers, backend=self.backend)
        for one in done:
            if one.outcome is None:
                nothing = tuple(float("nan") for _ in self.source.held_out)
                found.append(ArmOutcome(nothing, 0, one.problem))
                continue
            losses = tuple(np.atleast_1d(one.outcome["losses"]).tolist())
            outcome = ArmOutcome(
                losses, int(one.outcome["passes"]), str(one.outcome["problem"]) or None
            )
            found.append(outcome)
            self.passes += outcome.passes + len(losses) // 3
            for _ in range(outcome.passes):
                self.advance()
        return found


def _conduct(
    bench: _Bench, tried: Sequence[Change], left_out: Sequence[Change], steps: int
) -> TrialResult:
    snapshots = bench.trunk()
    design = screening(len(tried))
    notes = [f"{change.name}: not tried, the budget does not suffice" for change in left_out]
    effects = _screen(bench, tried, design, snapshots, notes)
    order = sorted(range(len(tried)), key=lambda j: effects[j].value)
    promising = [j for j in order if tried[j].carries and effects[j].harm < PROMISING]
    looks: list[Verification] = []
    adopted: list[int] = []
    price = verification_runs(len(snapshots)) * bench.budget.branch
    for chosen in _sets(promising):
        if looks and bench.passes + price > bench.budget.allowed:
            notes.append("no budget was left to verify the best change alone")
            break
        first = 1 + PER_SNAPSHOT * len(looks)
        look = _verify(bench, [tried[j] for j in chosen], snapshots, first, notes)
        looks.append(look)
        if look.effect.gains:
            adopted = list(chosen)
            break
    final = reduce(lambda setup, j: tried[j](setup), adopted, bench.base)
    told = tuple(
        ChangeEffect(tried[j], effects[j], j in adopted, _note(tried[j], effects[j], j, adopted))
        for j in order
    )
    return TrialResult(
        base=bench.base,
        setup=final,
        effects=told,
        verifications=tuple(looks),
        passes=bench.passes,
        share=bench.passes / steps,
        branch=bench.budget.branch,
        snapshots=bench.budget.snapshots,
        notes=tuple(dict.fromkeys(notes)),
    )


def _screen(
    bench: _Bench,
    tried: Sequence[Change],
    design: NDArray[np.int8],
    snapshots: Sequence[Snapshot],
    notes: list[str],
) -> list[Effect]:
    windows = [bench.window(snapshot, 0) for snapshot in snapshots]
    setups = [
        reduce(lambda setup, j: tried[j](setup), np.flatnonzero(row).tolist(), bench.base)
        for row in design
    ]
    outcomes = bench.run([(setup, window, 1.0) for setup in setups for window in windows])
    for number, outcome in enumerate(outcomes):
        if outcome.problem:
            held = [tried[j].name for j in np.flatnonzero(design[number // len(windows)]).tolist()]
            notes.append(f"the arm with {', '.join(held) or 'no change'}: {outcome.problem}")
    losses = np.array([outcome.loss for outcome in outcomes]).reshape(len(design), len(windows))
    return main_effects(design, losses)


def _sets(promising: Sequence[int]) -> list[tuple[int, ...]]:
    """What is verified, in this order: all together, then the most promising alone."""
    if not promising:
        return []
    sets = [tuple(promising), (promising[0],)]
    return sets[: min(LOOKS, len(promising))]


def _verify(
    bench: _Bench,
    chosen: Sequence[Change],
    snapshots: Sequence[Snapshot],
    first: int,
    notes: list[str],
) -> Verification:
    changed = reduce(lambda setup, change: change(setup), chosen, bench.base)
    sides = (bench.base, changed)
    tuning = bench.window(snapshots[-1], 0)
    tuned = bench.run([(side, tuning, rate) for side in sides for rate in RATES])
    best = [_best(tuned[: len(RATES)]), _best(tuned[len(RATES) :])]
    for name, rate in zip(("the base", "the changed set-up"), best, strict=True):
        if rate == RATES[-1]:
            notes.append(f"{name} does best at {rate:g} times its rates: tune them upwards first")
    windows = [
        bench.window(snapshot, first + number)
        for snapshot in snapshots
        for number in range(PER_SNAPSHOT)
    ]
    arms = [(side, w, rate) for side, rate in zip(sides, best, strict=True) for w in windows]
    outcomes = bench.run(arms)
    base, other = outcomes[: len(windows)], outcomes[len(windows) :]
    notes += [f"{one.problem} in the verification" for one in outcomes if one.problem]
    differences = np.array([o.loss - b.loss for b, o in zip(base, other, strict=True)])
    level = 1 - (1 - LEVEL) / LOOKS
    effect = (
        paired(differences, level=level)
        if np.isfinite(differences).all()
        else Effect(float("inf"), float("inf"), 0, float("-inf"), float("inf"), 1.0)
    )
    return Verification(tuple(c.name for c in chosen), effect, level, (best[0], best[1]))


def _best(outcomes: Sequence[ArmOutcome]) -> float:
    losses = np.array([outcome.loss for outcome in outcomes])
    return RATES[int(np.nanargmin(losses))] if np.isfinite(losses).any() else 1.0


def _note(change: Change, effect: Effect, number: int, adopted: Sequence[int]) -> str:
    if number in adopted:
        return ""
    if not change.carries:
        return "a short branch does not tell of the long run here: not adopted"
    if effect.harm < PROMISING:
        return "looked like a gain, and did not stand the verification"
    return "no gain in the screening"


def _changes(changes: Changes | None, setup: SetUp, model: nn.Module) -> tuple[Change, ...]:
    if changes is None:
        found = candidates(setup, find_blocks(model, heads=True))
    else:
        found = tuple(changes(setup) if callable(changes) else changes)
    names = [change.name for change in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two changes are called {twice!r}", remedy="give each a name of its own")
    return found


def _attempt(case: tuple[Source, SetUp, Window, float]) -> dict[str, Any]:
    source, setup, window, rate = case
    outcome = run_arm(source, setup, window, rate=rate)
    return {
        "losses": np.array(outcome.losses),
        "passes": outcome.passes,
        "problem": outcome.problem or "",
    }


def _digest(setup: SetUp, window: Window, rate: float) -> str:
    told = {
        "setup": setup.to_dict(),
        "snapshot": window.snapshot.step,
        "first": window.first,
        "steps": window.steps,
        "rate": rate,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]
