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
    plan: Path | None = None,
    json: bool = False,
) -> None:
    """Plan which blocks take spectral updates, and show what is known of each.

    The plan is usual routing: Muon for hidden matrices, AdamW for embeddings, heads and gains.
    Beside it stand diagnostics, which route nothing: the criterion nr/st; what was measured of one
    step (see spectrain.measure_steps), decrease of the spectral over that of the Euclidean one; the
    cut that the spectra favour. What the other questions found follows.

    Args:
        path: the run folder.
        include: speak of blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        plan: also write the plan as YAML to this file, for `spectrain train --plan`.
        json: print the finding on descent as JSON.
    """
    from spectrain.answers import diagnose, events, plan_of, select_blocks
    from spectrain.optim import write_plan
    from spectrain.records import open_run

    opened = open_run(path)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    with working("comparing ranks"):
        asked = ["descent"] if json else None
        finding, *others = diagnose(opened, blocks=blocks, questions=asked)
    made = plan_of(finding)
    if plan is not None:
        write_plan(made, plan)
    if json:
        told = {"events": events(opened), **finding.to_dict()}
        print(dumps(told, allow_nan=False))
    else:
        show_events(events(opened))
        show(finding, made, others)


def show(
    finding: Finding[DescentRow, DescentGroup],
    plan: Plan,
    others: Sequence[Finding[Any, Any]] = (),
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
        ("", [finding.statement, *finding.advice]),
        ("dim", finding.limits),
        ("", [f"{other.name}: {other.statement}" for other in others]),
    )
    for style, lines in parts:
        out.print()
        for line in lines:
            told = plain(line)
            told.stylize(style)
            out.print(told)
