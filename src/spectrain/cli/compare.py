"""``spectrain compare``."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from spectrain.cli.fitted_table import GAP, Row, shortened
from spectrain.cli.terminal import printable, show_fitted, terminal_width, working
from spectrain.page.format import MISSING, label, percent

if TYPE_CHECKING:
    from spectrain.report import Comparison


def run(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Put runs side by side: losses at equal steps, gradient ranks and descent ratios by role.

    Args:
        paths: the run folders, two or more; of a folder of runs all that it holds.
        out: also write a page with the curves over each other to this file.
        json: print the comparison as JSON.
    """
    from spectrain.records import open_run
    from spectrain.report import compare, render_comparison

    runs = [open_run(one) for path in paths for one in _runs(path)]
    with working("comparing runs"):
        comparison = compare(runs)
        page = None if out is None else render_comparison(runs, out, comparison=comparison)
    if json:
        print(dumps({"page": page and str(page), **comparison.to_dict()}, allow_nan=False))
        return
    show(comparison)
    if page is not None:
        print(page)


def _runs(path: Path) -> list[Path]:
    """The path itself where it is a run, else the runs in it."""
    from spectrain.records.layout import MANIFEST
    from spectrain.records.manifest import runs_in

    return [path] if (path / MANIFEST).exists() else runs_in(path) or [path]


def show(comparison: Comparison) -> None:
    """Print runs side by side, as many beside each other as fit."""
    rows = list(_rows(comparison))
    width = terminal_width()
    names = [printable(name) for name in comparison.names]
    if width is not None:
        names = [shortened(name, _LONGEST) for name in names]
    columns = zip(names, *(row.cells for row in rows), strict=True)
    cells = [max(map(len, column)) for column in columns]
    side = max(len(row.name) for row in rows)
    start = 0
    while start < len(names):
        end = start + 1
        while end < len(names) and (
            width is None or side + sum(cell + GAP for cell in cells[start : end + 1]) <= width
        ):
            end += 1
        part = [Row(row.name, row.cells[start:end]) for row in rows]
        show_fitted("", names[start:end], part, numbers=names)
        start = end


_LONGEST = 24
"""Greatest length of the names of runs in a terminal."""


def _rows(comparison: Comparison) -> Iterator[Row]:
    from spectrain.answers import QUESTIONS

    for at in comparison.losses:
        losses = [MISSING if loss is None else f"{loss.value:.4f}" for loss in at.losses]
        yield Row(f"{label(at.measure)} at step {at.step:,}", losses)
    yield Row("cost of watching", [percent(overhead) for overhead in comparison.overheads])
    for row in comparison.roles:
        for made in QUESTIONS[row.question].compared:
            cells = [MISSING if group is None else made.cell(group) for group in row.groups]
            yield Row(f"{made.label}, {row.role}", cells)
    for asked in zip(*comparison.findings, strict=True):
        yield Row(asked[0].name, [str(finding.sign) for finding in asked])
