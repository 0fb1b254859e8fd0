"""Inspection: every block of every checkpoint, measured into a run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from spectrain.checkpoint.content import Content, content_of, fingerprint, union_of_blocks
from spectrain.checkpoint.finite import not_finite
from spectrain.checkpoint.measure import Extra, measure_stored
from spectrain.checkpoint.stored import Checkpoint
from spectrain.checkpoint.stream import Follow, Task, stream
from spectrain.core import InputError, Skipped
from spectrain.matrix.backends import Method
from spectrain.records import Run


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspection left, and what it could not answer.

    Attributes:
        run: the records.
        contents: the checkpoints with their blocks, by step.
        incomplete: weights without an answer, each with the reason.
    """

    run: Run
    contents: tuple[Content, ...]
    incomplete: tuple[Skipped, ...]


def inspect_checkpoints(
    checkpoints: Sequence[Checkpoint],
    folder: str | os.PathLike[str],
    *,
    method: Method = "auto",
    sketch_from: int | None = None,
    workers: int = 1,
    extra: Extra | None = None,
    follow: Follow | None = None,
) -> Inspection:
    """Measure every block of every checkpoint; one matrix per worker is in memory at a time.

    Where the folder holds the beginning of the same inspection, it goes on from there.

    Args:
        checkpoints: of one run, at different steps.
        folder: run folder for the records.
        method: back end of :func:`~spectrain.matrix.spectrum`.
        sketch_from: matrices whose shorter side has at least this many entries are estimated by
            sketch, with standard errors, where that is worth it; none if not given.
        workers: threads; they share the cores that torch may use.
        extra: further records of each dense tensor.
        follow: shows progress.

    Raises:
        InputError: two checkpoints have one step, or the folder holds something else.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from spectrain.checkpoint import open_checkpoint
        >>> with TemporaryDirectory() as folder:
        ...     torch.save({"w": torch.diag(torch.tensor([3.0, 4.0]))}, f"{folder}/model.pt")
        ...     checkpoint = open_checkpoint(f"{folder}/model.pt")
        ...     run = inspect_checkpoints([checkpoint], f"{folder}/run").run
        ...     run.metrics(measure="stable_rank")["value"].to_list()
        [1.5625]
    """
    contents = tuple(sorted(map(content_of, checkpoints), key=lambda content: content.step))
    if len({content.step for content in contents}) < len(contents):
        names = ", ".join(content.checkpoint.path.name for content in contents)
        raise InputError(
            f"several of {names} are at the same step",
            remedy="name them by their steps: step-100.safetensors",
        )
    run = stream(
        Path(folder),
        list(_tasks(contents, method, sketch_from, extra)),
        mark=fingerprint(contents, (method, sketch_from, _named(extra))),
        manifest=manifest_of(contents, {"method": method, "sketch_from": sketch_from}),
        workers=workers,
        follow=follow,
    )
    return Inspection(run, contents, (*not_finite(contents), *incomplete(run, contents)))


def _named(extra: Extra | None) -> str:
    """What is added to the records: a run goes on where the same is."""
    keywords = extra.keywords if isinstance(extra, partial) else {}
    return f"{extra is not None} {keywords}"


def manifest_of(
    contents: Sequence[Content],
    config: dict[str, Any],
    checkpoints: Sequence[Content] | None = None,
) -> dict[str, Any]:
    """The manifest of a run folder about these checkpoints.

    Args:
        contents: whose blocks are measured.
        config: how.
        checkpoints: what took part; ``contents`` if not given.
    """
    skipped = (s for content in contents for s in (*content.skipped, *content.missing))
    return {
        "config": {
            **config,
            "checkpoints": [_facts(content) for content in checkpoints or contents],
        },
        "dtypes": {t.name: t.dtype for content in contents for t in content.checkpoint.tensors},
        "blocks": union_of_blocks(contents),
        "skipped": tuple(dict.fromkeys(skipped)),
    }


def _tasks(
    contents: Sequence[Content], method: Method, sketch_from: int | None, extra: Extra | None
) -> Iterator[Task]:
    how = partial(measure_stored, method=method, sketch_from=sketch_from, extra=extra)
    for content in contents:
        for stored, blocks in content.tasks():
            names = tuple(block.name for block in blocks)
            yield Task(content.step, names, partial(how, stored, blocks, content.step))


def _facts(content: Content) -> dict[str, Any]:
    checkpoint = content.checkpoint
    return {
        "name": checkpoint.path.name,
        "format": checkpoint.format,
        "step": content.step,
        "tensors": len(checkpoint.tensors),
        "blocks": len(content.blocks),
        "notes": checkpoint.notes,
    }


def without_answer(run: Run) -> tuple[Skipped, ...]:
    """Blocks whose rows have no norm, each with the reason."""
    lost = run.metrics(measure="frobenius_norm").filter(pl.col("value").is_null())
    return tuple(Skipped(row["block"], row["reason"]) for row in lost.iter_rows(named=True))


def incomplete(run: Run, contents: Sequence[Content]) -> tuple[Skipped, ...]:
    """Weights without an answer: those that cannot be read, and those whose rows have no norm."""
    missing = (skip for content in contents for skip in content.missing)
    return (*missing, *without_answer(run))
