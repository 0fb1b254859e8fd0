"""``spectrain inspect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, TypeVar

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spectrain.answers import randomness
from spectrain.checkpoint import compare_checkpoints, inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.difference import CHANGES
from spectrain.checkpoint.inspect import Inspection
from spectrain.checkpoint.rules import Rule
from spectrain.checkpoint.series import find_series, open_series
from spectrain.checkpoint.sketched import SKETCH_FROM
from spectrain.checkpoint.weightwatcher import COLUMNS, PREFIX, weightwatcher_records
from spectrain.cli.inspect_result import RANDOMNESS_RULES, Result, show
from spectrain.core import InputError
from spectrain.matrix import MEASURES
from spectrain.matrix.backends import Method
from spectrain.report import render_inspection

T = TypeVar("T")


def run(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")],
    *,
    out: Path | None = None,
    by: Literal["block", "role", "depth"] = "block",
    weightwatcher: bool = False,
    random: bool = True,
    exact: bool = False,
    sketch_from: int = SKETCH_FROM,
    share: float = 0.9,
    workers: int = 2,
    fail_on: tuple[str, ...] = (),
    csv: Path | None = None,
    html: Path | None = None,
    json: bool = False,
) -> int:
    """Measure the matrices of checkpoints, one at a time, without the model's code or data.

    One path is inspected; a folder of checkpoints at several steps is a series. Of two paths the
    difference is measured. The exit status is 0 if every weight has an answer and no rule is
    broken, 1 if a rule is broken, 2 if an input cannot be used, 3 if an answer is missing.

    Args:
        paths: safetensors, files of torch.save, GGUF, an index of shards, or a folder.
        out: run folder for the records; an inspection that was cut short goes on there.
        by: a row of the table is a block, or the median over a role or a depth.
        weightwatcher: also the columns of WeightWatcher 0.7, under its names.
        random: fit a random bulk to every matrix.
        exact: singular values by SVD in float64 for every matrix, however large.
        sketch_from: estimate matrices whose shorter side has at least this many entries from
            products with vectors, with standard errors, where that is faster.
        share: of a difference, the part that an adapter is to keep.
        workers: threads, each with one matrix in memory and its share of the cores.
        fail_on: rules that no block may fulfil, such as "stable_rank<1.5", "bulk_fraction>0.9" or
            "weightwatcher.alpha>6".
        csv: write a row for every block to this file.
        html: write the page to this file.
        json: print everything as JSON.
    """
    if not 1 <= len(paths) <= 2:
        raise InputError(f"{len(paths)} paths are given", remedy="pass one checkpoint or two")
    for name, count in (("workers", workers), ("sketch-from", sketch_from)):
        if count < 1:
            raise InputError(f"{name} is {count}", remedy="pass at least 1")
    if len(paths) == 2 and weightwatcher:
        raise InputError(
            "WeightWatcher's columns are of one checkpoint", remedy="inspect the two one by one"
        )
    known = [*MEASURES, *(CHANGES if len(paths) == 2 else RANDOMNESS_RULES if random else ())]
    known += [PREFIX + column for column in COLUMNS if weightwatcher]
    rules = [Rule.parse(text, known) for text in fail_on]
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(TemporaryDirectory())) / "run"
        if len(paths) == 2:
            inspection = _compare(paths[0], paths[1], folder, exact, share, workers)
        else:
            whole = exact or weightwatcher  # whose columns need every singular value
            method: Method = "exact" if exact else "auto"
            sketches = None if whole else sketch_from
            inspection = _inspect(paths[0], folder, method, sketches, weightwatcher, workers)
        findings = []
        if random and len(paths) == 1:
            findings.append(randomness(inspection.run, follow=_bar("fitting random bulks")))
        result = Result(inspection, findings, rules)
        if html:
            render_inspection(
                inspection.run, html, findings=findings, incomplete=inspection.incomplete
            )
        if csv:
            result.write_csv(csv)
        if json:
            print(dumps(result.to_dict(), allow_nan=False))
        else:
            show(result, by)
        return result.status


def _inspect(
    path: Path,
    folder: Path,
    method: Method,
    sketch_from: int | None,
    weightwatcher: bool,
    workers: int,
) -> Inspection:
    series = find_series(path)
    return inspect_checkpoints(
        open_series(path, series) if series else [open_checkpoint(path)],
        folder,
        method=method,
        sketch_from=sketch_from,
        workers=workers,
        extra=weightwatcher_records if weightwatcher else None,
        follow=_bar("measuring"),
    )


def _compare(
    before: Path, after: Path, folder: Path, exact: bool, share: float, workers: int
) -> Inspection:
    return compare_checkpoints(
        open_checkpoint(before),
        open_checkpoint(after),
        folder,
        share=share,
        method="exact" if exact else "auto",
        workers=workers,
        follow=_bar("comparing"),
    )


def _bar(task: str) -> Callable[[Iterator[T], int], Iterator[T]]:
    """Passes on what it is given and shows on standard error how far it is."""

    def follow(items: Iterator[T], total: int) -> Iterator[T]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield from progress.track(items, total=total, description=task)

    return follow
