"""``spectrain compare``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import tyro

from spectrain.cli.terminal import console, plain, table, working
from spectrain.records import open_run
from spectrain.report import Comparison, compare, render_comparison
from spectrain.report.format import MISSING, label, number, percent


def run(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Put runs side by side: losses at equal steps, gradient ranks and descent ratios by role.

    Args:
        paths: the run folders, two or more.
        out: also write a page with the curves over each other to this file.
        json: print the comparison as JSON.
    """
    runs = [open_run(path) for path in paths]
    with working("comparing runs"):
        found = compare(runs)
        page = None if out is None else render_comparison(runs, out, comparison=found)
    if json:
        print(dumps({"page": page and str(page), **found.to_dict()}, allow_nan=False))
        return
    show(found)
    if page is not None:
        print(page)


def show(found: Comparison) -> None:
    """Print what is side by side."""
    rows = table("", *(plain(name).plain for name in found.names), numbers=tuple(found.names))
    for row in found.losses:
        cells = (MISSING if loss is None else f"{loss.value:.4f}" for loss in row.losses)
        rows.add_row(f"{label(row.measure)} at step {row.step:,}", *cells)
    rows.add_row("cost of watching", *(percent(overhead) for overhead in found.overheads))
    rows.add_section()
    for role in found.roles:
        rows.add_row(f"nr/st, {role.role}", *(number(ratio) for ratio in role.ratio))
    rows.add_section()
    for role in found.roles:
        changes = (
            MISSING if early is None else f"{percent(early)} → {percent(late)}"
            for early, late in zip(role.early, role.late, strict=True)
        )
        rows.add_row(f"gradient rank, {role.role}", *changes)
    console().print(rows)
