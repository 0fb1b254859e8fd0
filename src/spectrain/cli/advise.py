"""``spectrain advise``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import tyro
from rich.text import Text

from spectrain.answers import Finding, OpenAs, descent, events, plan_of, select_blocks
from spectrain.answers.descent import DescentGroup, DescentRow
from spectrain.answers.descent.columns import fed_by, granularity, interval
from spectrain.cli.terminal import console, plain, show_events, table, verdict, working
from spectrain.optim import write_plan
from spectrain.page.format import MISSING, number
from spectrain.records import open_run

_COLUMNS = (
    *("block", "favours", "nr/st", "95 %", "measured"),
    *("granularity", "course", "fed by (columns)"),
)


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    include: tuple[str, ...] = ("*",),
    exclude: tuple[str, ...] = (),
    plan: Path | None = None,
    open_as: OpenAs = "usual",
    json: bool = False,
) -> None:
    """Say for each block whether spectral or Euclidean updates are favoured, and how surely.

    Beside the criterion nr/st stands what was measured of one step (see spectrain.measure_steps):
    decrease of the spectral over that of the Euclidean one; then the cut that the spectra favour.

    Args:
        path: the run folder.
        include: speak of blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        plan: also write the plan that follows as YAML to this file, for `spectrain train --plan`.
        open_as: the step that the plan gives to blocks which are not decided; usual is Muon for
            hidden matrices and AdamW for embeddings, heads and gains.
        json: print the finding as JSON.
    """
    opened = open_run(path)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    with working("comparing ranks"):
        finding = descent(opened, blocks=blocks)
    if plan is not None:
        write_plan(plan_of(finding, open_as=open_as), plan)
    if json:
        told = {"events": events(opened), **finding.to_dict()}
        print(dumps(told, allow_nan=False))
    else:
        show_events(events(opened))
        show(finding)


def show(finding: Finding[DescentRow, DescentGroup]) -> None:
    """Print the blocks and what follows for them."""
    rows = table(*_COLUMNS, numbers=("nr/st", "measured"))
    for row in finding.rows:
        rows.add_row(*_cells(row))
    out = console()
    out.print(rows)
    for kind, lines in (("", [finding.statement, *finding.advice]), ("dim", finding.limits)):
        out.print()
        for line in lines:
            out.print(Text(line, style=kind))


def _cells(row: DescentRow) -> list[Text]:
    return [
        plain(row.block),
        verdict(row.verdict),
        plain(number(row.ratio)),
        plain(interval(row)),
        plain(number(row.measured)),
        plain(granularity(row)),
        plain(row.reason or row.course or MISSING),
        plain(fed_by(row)),
    ]
