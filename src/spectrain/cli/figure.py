"""``spectrain figure``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated, Literal

import tyro

from spectrain.cli.terminal import working


def run(
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    *,
    what: Literal["loss", "rank", "ratio", "spectrum", "norms", "noise"],
    out: Path,
    include: tuple[str, ...] = ("*",),
    exclude: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Draw a figure for a paper.

    Args:
        path: the run folder.
        what: the logged losses; effective ranks of the gradients or the criterion nr/st by role and
            layer; singular values of one block through training; norms of the weights by role; the
            noise scale by role.
        out: file to write; its name ends in .pdf, .svg or .png.
        include: show blocks whose name matches one of these patterns.
        exclude: leave out blocks whose name matches one of these patterns.
        json: print the file's name as JSON.
    """
    from spectrain.answers import select_blocks
    from spectrain.records import open_run
    from spectrain.report.drawings import draw, save

    opened = open_run(path)
    blocks = select_blocks(opened, include=include, exclude=exclude)
    with working("drawing"):
        file = save(draw(what, opened, blocks=blocks), out)
    print(dumps({"figure": str(file)}) if json else file)
