"""``trial``: try changes of an optimizer set-up on short branches, adopt what gains for sure.

Arms fork from snapshots of a training of the base, get the same batches and a decay to zero of
their own, and are compared on the same held-out batches, in pairs. A two-level design screens all
changes at once; what looks like a gain is verified together, on batches that no choice was made by,
each side at its own best rate. Looks are few and share one error rate.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from torch import nn

from spectrain.core import InputError
from spectrain.monitor.progress import bar
from spectrain.network import find_blocks
from spectrain.trials.bench import Bench
from spectrain.trials.budget import (
    LOOKS,
    Budget,
    fresh_windows,
    plan_budget,
    screening_windows,
    snapshot_steps,
    too_short,
    verification_runs,
)
from spectrain.trials.changes import Change, candidates
from spectrain.trials.effects import Effect
from spectrain.trials.horizon import predicted_share
from spectrain.trials.result import ChangeEffect, TrialResult, Verification
from spectrain.trials.screen import applied, arms_of, screen
from spectrain.trials.setup import SetUp, usual_setup
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Loss, Source
from spectrain.trials.trunk import snapshots_of
from spectrain.trials.verify import verify

PROMISING = 0.25
"""Changes whose probability of harm in the screening lies below this are verified."""

STEPS = 1000
"""Length of a run where none is given."""

Changes = Sequence[Change] | Callable[[SetUp], Sequence[Change]]


def trial(
    model: nn.Module | Callable[[], nn.Module],
    loss_fn: Loss,
    batches: Callable[[int], Any] | Iterable[Any],
    held_out: Iterable[Any],
    changes: Changes | None = None,
    *,
    steps: int = STEPS,
    base: SetUp | None = None,
    share: float | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    workers: int = 1,
    backend: str = "loky",
    progress: bool = True,
) -> TrialResult:
    """Try changes of an optimizer set-up for a model, and adopt those that surely gain.

    The model is copied and left as it was, as is the state of the random numbers.

    What a short branch shows is carried to the end of the run by what whole trainings showed of it,
    see :mod:`spectrain.trials.horizon`: branches of an eighth of the run and less said nothing
    about its end, so that within the default ``share`` effects are shown and no change is adopted.
    A ``share`` of several runs buys branches that do; the result says how much is needed.

    Args:
        model: as the run will start with it, or a function that makes it (for several processes one
            that can be pickled).
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batches: training batches: a function of the step, a list that is taken in turn, or an
            iterator.
        held_out: batches that losses are compared on; a few hundred examples in all do.
        changes: to be tried, or a function of the base that makes them; by default
            :func:`~spectrain.trials.candidates`.
        steps: length of the run that is to be advised; sets the budget. Where it does not suffice
            for a trial, none is made, and the result is no change.
        base: the set-up to improve, with its rates tuned; by default the usual routing.
        share: of the run that the trial may cost: 15 % by default, 40 % below 2,000 steps.
        seed: of dropout.
        folder: where outcomes are kept, so that an interrupted trial goes on; nowhere by default.
        workers: processes.
        backend: ``"loky"``, ``"ray"`` or ``"dask"``, see :func:`spectrain.sweeps.run_tasks`.
        progress: say on standard error what the trial will cost, and show a bar, if that is a
            terminal.

    Raises:
        InputError: the model cannot be copied, the batches end, loss or batches cannot be repeated,
            the base diverges, or two changes have one name.

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
        >>> result = trial(model, loss, data[:30], data[30:32], changes, steps=1500)
        >>> result.share < 0.4, len(result.effects)
        (True, 1)
    """
    source = Source.of(model, loss_fn, batches, held_out, seed=seed)
    fresh = source.make()
    setup = usual_setup(fresh, find_blocks(fresh)) if base is None else base
    tried = changes_for(changes, setup, fresh)
    at = snapshot_steps(steps)

    def trunk(advance: Callable[[], None]) -> list[Snapshot]:
        return snapshots_of(source, setup, at, advance=advance)

    with kept_in(folder) as place:
        return conduct(
            source,
            setup,
            tried,
            trunk,
            at=at,
            trunk_passes=at[-1],
            steps=steps,
            share=share,
            place=place,
            workers=workers,
            backend=backend,
            progress=progress,
        )


@contextmanager
def kept_in(folder: Path | str | None) -> Iterator[Path]:
    """The folder of the outcomes; one that is gone afterwards where none is given."""
    if folder is not None:
        yield Path(folder)
        return
    with TemporaryDirectory() as scratch:
        yield Path(scratch)


def conduct(
    source: Source,
    base: SetUp,
    tried: Sequence[Change],
    trunk: Callable[[Callable[[], None]], list[Snapshot]],
    *,
    at: Sequence[int],
    trunk_passes: int,
    steps: int,
    share: float | None,
    place: Path,
    workers: int,
    backend: str,
    progress: bool,
) -> TrialResult:
    """Plan the budget, screen, verify, decide.

    Args:
        source: model, loss and data.
        base: the set-up that is to be improved.
        tried: the changes.
        trunk: makes the snapshots, calling its argument after each pass.
        at: steps of the snapshots.
        trunk_passes: what the trunk costs.
        steps: length of the run that is to be advised.
        share: of the run that the trial may cost.
        place: folder of the outcomes.
        workers: processes.
        backend: of :func:`spectrain.sweeps.run_tasks`.
        progress: whether to say what it costs and to show a bar.
    """
    if not tried:
        return _no_trial(base, "no change applies")
    try:
        tried, budget, left_out = _affordable(
            tried, steps, share, len(source.held_out), at, trunk_passes
        )
    except InputError as error:
        return _no_trial(base, str(error))
    mark = _mark(source, steps)
    with bar("trial", budget.passes, shown=progress) as advance:
        bench = Bench(source, base, budget, place, workers, backend, advance, mark)
        start = perf_counter()
        snapshots = trunk(advance)
        bench.passes += trunk_passes
        bench.seconds += perf_counter() - start
        if progress and sys.stderr.isatty():
            each = bench.seconds / trunk_passes if trunk_passes else None
            print(budget.told(steps, each), file=sys.stderr)
        return _decide(bench, tried, left_out, snapshots, steps)


def _no_trial(base: SetUp, why: str) -> TrialResult:
    return TrialResult(base, base, (), (), 0, 0.0, 0, (), (why,))


def _mark(source: Source, steps: int) -> str:
    """What distinguishes a trial from others in its folder: its model's losses at the start."""
    facts = [steps, source.seed, *source.evaluate(source.make())]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _affordable(
    tried: Sequence[Change],
    steps: int,
    share: float | None,
    held_out: int,
    at: Sequence[int],
    trunk: int,
) -> tuple[Sequence[Change], Budget, Sequence[Change]]:
    """As many changes as the budget allows, the first ones first, and those left out.

    Raises:
        InputError: not even one.
    """
    for count in range(len(tried), 0, -1):
        try:
            budget = plan_budget(
                steps,
                arms_of(tried[:count]),
                share=share,
                held_out=held_out,
                snapshots=at,
                trunk=trunk,
            )
        except InputError:
            if count == 1:
                raise
        else:
            return tried[:count], budget, tried[count:]
    raise AssertionError("unreachable")


def _decide(
    bench: Bench,
    tried: Sequence[Change],
    left_out: Sequence[Change],
    snapshots: Sequence[Snapshot],
    steps: int,
) -> TrialResult:
    tells = predicted_share(bench.budget.branch / steps) > 0
    notes = [] if tells else [too_short(bench.budget, steps)]
    notes += [f"{change.name}: not tried, the budget does not suffice" for change in left_out]
    effects = screen(bench, tried, snapshots, notes)
    values = [float("inf") if effect is None else effect.value for effect in effects]
    order = sorted(range(len(tried)), key=lambda j: values[j])
    looks: list[Verification] = []
    adopted: tuple[int, ...] = ()
    price = verification_runs(len(snapshots)) * bench.budget.branch
    for chosen in _sets(tried, effects, order) if tells else ():
        if looks and bench.passes + price > bench.budget.allowed:
            notes.append("no budget was left to verify the best change alone")
            break
        first = screening_windows(len(snapshots)) + fresh_windows(len(snapshots)) * len(looks)
        look = verify(bench, [tried[j] for j in chosen], snapshots, first, steps, notes)
        looks.append(look)
        if look.expected.gains:
            adopted = chosen
            break
    shown = tuple(
        ChangeEffect(
            tried[j],
            effects[j],
            j in adopted,
            "" if j in adopted else _note(tried[j], effects[j], tells=tells),
        )
        for j in order
    )
    return TrialResult(
        base=bench.base,
        setup=applied([tried[j] for j in adopted], bench.base),
        effects=shown,
        verifications=tuple(looks),
        passes=round(bench.passes),
        share=bench.passes / steps,
        branch=bench.budget.branch,
        snapshots=tuple(bench.budget.snapshots),
        notes=tuple(dict.fromkeys(notes)),
    )


def _sets(
    tried: Sequence[Change], effects: Sequence[Effect | None], order: Sequence[int]
) -> list[tuple[int, ...]]:
    """What is verified, in this order: all that go together, then the most promising alone."""
    promising = [
        j
        for j in order
        if tried[j].carries and (effect := effects[j]) is not None and effect.harm < PROMISING
    ]
    together = tuple(sorted(j for j in promising if not tried[j].alone))
    sets = [together] if together else []
    sets += [(j,) for j in promising[:1] if (j,) != together]
    if promising and tried[promising[0]].alone:  # it rules out the others: the larger gain first
        sets.reverse()
    return sets[:LOOKS]


def _note(change: Change, effect: Effect | None, *, tells: bool) -> str:
    """Why a change is not adopted."""
    if effect is None:
        return "its arms diverged, or too few were left to tell it from others"
    if not change.carries:
        return "a short branch does not tell of the long run here: not adopted"
    if effect.harm < PROMISING and not tells:
        return "a gain on branches that are too short to tell of the end"
    if effect.harm < PROMISING:
        return "looked like a gain, and did not stand the verification"
    return "no gain in the screening"


def changes_for(changes: Changes | None, setup: SetUp, model: nn.Module) -> tuple[Change, ...]:
    """The changes that were asked for; the usual candidates where none were.

    Raises:
        InputError: two have one name.
    """
    if changes is None:
        chosen = candidates(setup, find_blocks(model, heads=True))
    else:
        chosen = tuple(changes(setup) if callable(changes) else changes)
    names = [change.name for change in chosen]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two changes are called {twice!r}", remedy="give each a name of its own")
    return chosen
