"""``spectrain report``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import tyro

from spectrain.cli.terminal import console, show_events, working
from spectrain.page.format import size


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    out: Path | None = None,
    include: tuple[str, ...] = ("*",),
    exclude: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Write the page of a run: findings, curves, heatmaps, spectra, one HTML file.

    The folder of an inspection gets the page of an inspection.

    Args:
        path: the run folder.
        out: file to write; report.html in the run folder if not given.
        include: show blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        json: print the findings as JSON.
    """
    from spectrain.answers import diagnose, events, randomness, select_blocks
    from spectrain.records import open_run
    from spectrain.report import render, render_inspection
    from spectrain.report.health import is_difference, is_inspection

    opened = open_run(path)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    file = out or path / "report.html"
    with working("writing the page"):
        if is_inspection(opened):
            findings = [] if is_difference(opened) else [randomness(opened, blocks=blocks)]
            page = render_inspection(opened, file, blocks=blocks, findings=findings)
        else:
            findings = diagnose(opened, blocks=blocks)
            page = render(opened, file, blocks=blocks, findings=findings)
    count = page.stat().st_size
    if json:
        plain = [finding.to_dict() for finding in findings]
        facts = {"events": events(opened), "page": str(page), "bytes": count, "findings": plain}
        print(dumps(facts, allow_nan=False))
        return
    show_events(events(opened))
    for finding in findings:
        console().print(f"{finding.question} [b]{finding.status}[/b]", highlight=False)
        console().print(finding.statement, markup=False, highlight=False)
    print(f"{page} ({size(count)})")
