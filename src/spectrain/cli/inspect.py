"""``spectrain inspect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spectrain.core import InputError

if TYPE_CHECKING:
    from spectrain.checkpoint.rules import Known
    from spectrain.checkpoint.stored import Checkpoint
    from spectrain.matrix.backends import Method

T = TypeVar("T")


def run(
    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")],
    *,
    out: Path | None = None,
    by: Literal["block", "role", "depth"] = "block",
    weightwatcher: bool = False,
    fit: Literal["PL", "TPL", "E_TPL"] = "PL",
    fix_fingers: Literal["none", "xmin_peak", "clip_xmax"] = "none",
    random: bool = True,
    exact: bool = False,
    sketch_from: int | None = None,
    list: bool = False,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    min_evals: int = 0,
    max_evals: int | None = None,
    share: float = 0.9,
    by_shape: bool = False,
    workers: int = 2,
    fail_on: tuple[str, ...] = (),
    csv: Path | None = None,
    html: Path | None = None,
    figures: Path | None = None,
    json: bool = False,
) -> int:
    """Measure the matrices of checkpoints, one at a time, without the model's code or data.

    One path is inspected; a folder of checkpoints at several steps is a series. For two paths the
    difference is measured, as between a base model and its adapter. For three, a base and two that
    were trained from it, it is measured how their changes interact. The exit status is 0 if every
    weight has an answer and no rule is broken, 1 if a rule is broken, 2 if an input cannot be used,
    3 if an answer is missing.

    Args:
        paths: safetensors, files of torch.save, GGUF, an index of shards, or a folder.
        out: run folder for the records; an inspection that was cut short goes on there.
        by: a row of the table is a block, or the median over a role or a depth.
        weightwatcher: also the columns of WeightWatcher 0.7, under its names.
        fit: WeightWatcher's law of the tail: PL, a power law; TPL, one with an exponential cut-off;
            E_TPL, that with its start near the peak of the spectrum.
        fix_fingers: what WeightWatcher does about a few eigenvalues far above the tail: xmin_peak
            starts the tail near the peak, clip_xmax leaves the largest out.
        random: fit a random bulk to every matrix.
        exact: singular values by SVD in float64 for every matrix, however large.
        sketch_from: estimate matrices whose shorter side has at least this many entries from
            products with vectors, with standard errors, where that is faster; 4,096 if not given.
        list: show what the checkpoint holds, from its headers alone.
        include: measure the tensors whose names match one of these patterns, as "*.self_attn.*".
        exclude: leave out those whose names match one of these.
        min_evals: leave out matrices with fewer singular values.
        max_evals: leave out matrices with more.
        share: of a difference, the part that an adapter is to keep.
        by_shape: of a difference, pair weights with different names by their shapes and order.
        workers: threads, each with one matrix in memory and its share of the cores.
        fail_on: rules that no block may meet, such as "stable_rank<1.5", "bulk_fraction>0.9" or
            "weightwatcher.alpha>6".
        csv: write a row for every block to this file.
        html: write the page to this file.
        figures: write the density of the eigenvalues of every block, with the bulk and the tail, to
            this folder; --include chooses blocks.
        json: print everything as JSON.
    """
    from spectrain.checkpoint import open_checkpoint
    from spectrain.checkpoint.choose import choose

    def chosen(checkpoint: Checkpoint) -> Checkpoint:
        return choose(checkpoint, include, exclude, least=min_evals, most=max_evals)

    def opened(path: Path) -> Checkpoint:
        return chosen(open_checkpoint(path))

    if not 1 <= len(paths) <= 3:
        raise InputError(f"{len(paths)} paths are given", remedy="pass one, two or three")
    if list:
        from spectrain.cli.inspect_list import show_listing

        return max(show_listing(opened(path), json=json) for path in paths)
    from spectrain.answers import randomness
    from spectrain.checkpoint import compare_changes, compare_checkpoints, inspect_checkpoints
    from spectrain.checkpoint.rules import Rule
    from spectrain.checkpoint.sketched import SKETCH_FROM
    from spectrain.checkpoint.weightwatcher import Tail, weightwatcher_records
    from spectrain.cli.inspect_result import Result, show
    from spectrain.report import render_inspection

    sketch_from = SKETCH_FROM if sketch_from is None else sketch_from
    for name, count in (("workers", workers), ("sketch-from", sketch_from)):
        if count < 1:
            raise InputError(f"{name} is {count}", remedy="pass at least 1")
    if len(paths) > 1 and weightwatcher:
        raise InputError(
            "WeightWatcher's columns are of one checkpoint", remedy="inspect them one by one"
        )

    tail = Tail(fit, fix_fingers)
    if tail != Tail() and not weightwatcher:
        raise InputError(
            "--fit and --fix-fingers are of WeightWatcher's columns", remedy="add --weightwatcher"
        )

    rules = [Rule.parse(text, _known(len(paths), random, weightwatcher)) for text in fail_on]
    method: Method = "exact" if exact else "auto"
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(TemporaryDirectory())) / "run"
        match paths:
            case [path]:
                inspection = inspect_checkpoints(
                    _series(path, chosen),
                    folder,
                    method=method,
                    # WeightWatcher's columns need every singular value.
                    sketch_from=None if exact or weightwatcher else sketch_from,
                    workers=workers,
                    extra=partial(weightwatcher_records, tail=tail) if weightwatcher else None,
                    follow=_bar("measuring"),
                )
            case [before, after]:
                inspection = compare_checkpoints(
                    opened(before),
                    opened(after),
                    folder,
                    share=share,
                    method=method,
                    by_shape=by_shape,
                    workers=workers,
                    follow=_bar("comparing"),
                )
            case [base, one, other]:
                inspection = compare_changes(
                    opened(base),
                    opened(one),
                    opened(other),
                    folder,
                    method=method,
                    workers=workers,
                    follow=_bar("comparing"),
                )
        findings = []
        if random and len(paths) == 1:
            findings.append(randomness(inspection.run, follow=_bar("fitting random bulks")))
        result = Result(inspection, findings, rules)
        if html:
            render_inspection(
                inspection.run, html, findings=findings, incomplete=inspection.incomplete
            )
        if figures:
            from spectrain.report.density import write_eigenvalue_figures  # Matplotlib is slow

            write_eigenvalue_figures(inspection.run, figures)
        if csv:
            result.write_csv(csv)
        if json:
            print(dumps(result.to_dict(), allow_nan=False))
        else:
            show(result, by)
        return result.status


_RANDOM = "inspect one checkpoint without --no-random"


def _known(paths: int, random: bool, weightwatcher: bool) -> Known:
    """What rules may speak of, each with what to do where it is not measured."""
    from spectrain.checkpoint.differences import CHANGES, INTERFERENCE
    from spectrain.checkpoint.weightwatcher import COLUMNS, PREFIX
    from spectrain.cli.inspect_result import RANDOMNESS_RULES
    from spectrain.matrix import MEASURES

    known = dict.fromkeys(MEASURES, "")
    known |= dict.fromkeys(RANDOMNESS_RULES, "" if random and paths == 1 else _RANDOM)
    known |= {PREFIX + column: "" if weightwatcher else "add --weightwatcher" for column in COLUMNS}
    known |= dict.fromkeys(CHANGES, "" if paths == 2 else "pass two checkpoints")
    known |= dict.fromkeys(INTERFERENCE, "" if paths == 3 else "pass three checkpoints")
    return known


def _series(path: Path, chosen: Callable[[Checkpoint], Checkpoint]) -> Sequence[Checkpoint]:
    from spectrain.checkpoint import open_checkpoint
    from spectrain.checkpoint.series import find_series, open_series

    series = find_series(path)
    return [
        chosen(one) for one in (open_series(path, series) if series else [open_checkpoint(path)])
    ]


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
