"""What would answer a question with too few samples: a number of further steps, or an argument."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import polars as pl

from spectrain.answers.phrases import plural
from spectrain.answers.series import last_step
from spectrain.core import Source
from spectrain.records import Run


@dataclass(frozen=True, slots=True)
class Need:
    """What a question reads of each block.

    Attributes:
        source: of what.
        measure: which.
        samples: fewest that suffice.
        skipped: share of the run, at its start, of which samples do not count.
    """

    source: Source
    measure: str
    samples: int
    skipped: float = 0.0


def sufficient(run: Run, need: Need) -> str | None:
    """The number of steps that are missing at the pace so far, and the argument that saves them.

    ``None`` where the samples are there, so that something else is missing.

    Args:
        run: an open run.
        need: what the question reads.
    """
    named = f"{need.source}/{need.measure}"
    rows = run.metrics(source=need.source, measure=need.measure).filter(pl.col("value").is_finite())
    if rows.is_empty():
        return f"Record {named}: leave measures= as it is, or name it there."
    length = last_step(run) + 1
    counted = rows.filter(pl.col("step") >= need.skipped * length)
    of_blocks = counted.group_by("block").agg(pl.col("step").unique().sort())["step"].to_list()
    steps: list[int] = max(of_blocks, key=len, default=[])
    if len(steps) >= need.samples:
        return None
    wanted = f"{len(steps)} of {plural(need.samples, 'sample')} of {named} so far"
    room = length - int(need.skipped * length)
    if room < need.samples:
        return f"Train {need.samples} steps at least: {wanted}."
    pace = (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else length
    last = steps[-1] if steps else length
    more = max(ceil(last + pace * (need.samples - len(steps))) + 1 - length, 1)
    every = max(room // need.samples, 1)
    return f"Train about {more:,} steps more, or watch with every={every}: {wanted}."
