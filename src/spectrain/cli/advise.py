"""``spectrain advise``."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from spectrain.cli.fitted_table import Row
from spectrain.cli.terminal import console, plain, show_events, show_fitted, working
from spectrain.page.format import MISSING, number

if TYPE_CHECKING:
    from spectrain.answers import Finding
    from spectrain.answers.descent import DescentGroup, DescentRow
    from spectrain.core import Plan

_COLUMNS = (
    *("step", "criterion", "nr/st", "95 %", "measured"),
    *("granularity", "course", "fed by (columns)"),
)
_LAST = ("fed by (columns)", "granularity", "course", "95 %", "measured")
"""Left out first where the terminal is narrow."""


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    include: tuple[str, ...] = ("*",),
    exclude: tuple[str, ...] = (),
    trial: Annotated[str | None, tyro.conf.arg(metavar="MODULE:FUNCTION")] = None,
    steps: int = 1000,
    plan: Path | None = None,
    json: bool = False,
) -> None:
    """Plan which blocks take spectral updates, and show what is known of each.

    The plan is usual routing: Muon for hidden matrices, AdamW for embeddings, heads and gains;
    except where trials that are kept with the run found a change that surely gains. Beside it stand
    diagnostics, which route nothing: the criterion nr/st; what was measured of one step (see
    spectrain.measure_steps), decrease of the spectral over that of the Euclidean one; the cut that
    the spectra favour. What the other questions found follows.

    Args:
        path: the run folder.
        include: speak of blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        trial: try changes first, on what this importable function returns; see `spectrain trial`.
        steps: length of the run that the trial is to advise.
        plan: also write the plan as YAML to this file, for `spectrain train --plan`.
        json: print the finding on descent as JSON.
    """
    from spectrain.answers import diagnose, events, plan_of, select_blocks
    from spectrain.answers.tried import evidence, trials_of
    from spectrain.optim import write_plan
    from spectrain.records import open_run

    opened = open_run(path)
    if trial is not None:
        try_changes(trial, path, steps)
    trials = trials_of(opened)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    with working("comparing ranks"):
        asked = ["descent"] if json else None
        finding, *others = diagnose(opened, blocks=blocks, questions=asked)
    made = plan_of(finding, evidence=evidence(trials, blocks))
    if plan is not None:
        write_plan(made, plan)
    if json:
        sentences = [one.sentence for one in trials]
        facts = {"events": events(opened), **finding.to_dict(), "trials": sentences}
        print(dumps(facts, allow_nan=False))
    else:
        show_events(events(opened))
        show(finding, made, others, [one.sentence for one in trials])


def show(
    finding: Finding[DescentRow, DescentGroup],
    plan: Plan,
    others: Sequence[Finding[Any, Any]] = (),
    trials: Sequence[str] = (),
) -> None:
    """Print the blocks with their steps, what is known of them, and what else was found."""
    from spectrain.answers.descent.columns import fed_by, granularity, interval

    rows = [
        Row(
            row.block,
            (
                str(plan[row.block]),
                str(row.verdict),
                number(row.ratio),
                interval(row),
                number(row.measured),
                granularity(row),
                row.course or MISSING,
                fed_by(row),
            ),
            row.reason or "",
        )
        for row in finding.rows
    ]
    show_fitted("block", _COLUMNS, rows, numbers=("nr/st", "measured"), last=_LAST)
    out = console()
    parts = (
        ("bold", trials),
        ("", [finding.statement, *finding.advice]),
        ("dim", finding.limits),
        ("", [f"{other.name}: {other.statement}" for other in others]),
    )
    for style, lines in parts:
        if not lines:
            continue
        out.print()
        for line in lines:
            text = plain(line)
            text.stylize(style)
            out.print(text)


def try_changes(factory: str, run: Path, steps: int) -> None:
    """Make a trial and keep it with the run."""
    from spectrain.cli.trial import given_by
    from spectrain.records.trials import write_trial
    from spectrain.trials import trial

    result = trial(**given_by(factory), steps=steps)
    write_trial(run, result.snapshots[-1] if result.snapshots else 0, result.to_dict())
