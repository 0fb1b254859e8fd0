"""Records as series: one value a block and step, averaged over ranks."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from spectrain.core import Source
from spectrain.records import Run


def read_series(run: Run, source: Source, measure: str) -> pl.DataFrame:
    """A measure of all blocks through time, without steps where it is undefined.

    Returns:
        Columns block (null for the run as a whole), step, value and count, by step.
    """
    return (
        run.metrics(source=source, measure=measure)
        .filter(pl.col("value").is_finite())
        .group_by("block", "step")
        .agg(pl.col("value").mean(), pl.col("count").median().cast(pl.Int64))
        .sort("step")
    )


def last_step(run: Run) -> int:
    """The last step of which something is recorded, or 0."""
    steps = run.metrics(source=[Source.TRAINING, Source.GRADIENT, Source.WEIGHT])["step"]
    return int(steps.to_numpy().max(initial=0))


def by_block(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    """The rows of each block."""
    return {str(name): rows for (name,), rows in frame.group_by("block", maintain_order=True)}


def read_reasons(run: Run, source: Source, measure: str) -> Mapping[str, str]:
    """Why a measure is undefined or qualified, by block: the last reason that was recorded."""
    rows = run.metrics(source=source, measure=measure).filter(pl.col("reason").is_not_null())
    last = rows.group_by("block", maintain_order=True).agg(pl.col("reason").last())
    return {str(name): str(reason) for name, reason in last.iter_rows()}
