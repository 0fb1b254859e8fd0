"""``spectrain compare``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import tyro

from spectrain.answers import QUESTIONS
from spectrain.cli.terminal import console, plain, table, working
from spectrain.page.format import MISSING, label, percent
from spectrain.records import open_run
from spectrain.report import Comparison, compare, render_comparison


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
    for at in found.losses:
        losses = (MISSING if loss is None else f"{loss.value:.4f}" for loss in at.losses)
        rows.add_row(f"{label(at.measure)} at step {at.step:,}", *losses)
    rows.add_row("cost of watching", *(percent(overhead) for overhead in found.overheads))
    rows.add_section()
    for row in found.roles:
        for made in QUESTIONS[row.question].compared:
            cells = (MISSING if group is None else made.cell(group) for group in row.groups)
            rows.add_row(f"{made.label}, {row.role}", *cells)
    rows.add_section()
    for asked in zip(*found.findings, strict=True):
        rows.add_row(asked[0].name, *(str(finding.sign) for finding in asked))
    console().print(rows)
