"""Courses: any measure of one block through training, packed so that a page holds many blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from spectrain.core import Block
from spectrain.records import Run
from spectrain.report.packing import Packed, pack

MOST_BLOCKS = 400
MOST_VALUES = 250_000
MOST_POINTS = 120
FEWEST_POINTS = 12


@dataclass(frozen=True, slots=True)
class Course:
    """One measure of one block.

    Attributes:
        steps: place in :attr:`Courses.grids` of the steps of its values.
        values: of the measure.
    """

    steps: int
    values: Packed


@dataclass(frozen=True, slots=True)
class Courses:
    """What a page holds of the measures.

    Attributes:
        measures: ``source/measure``, in the order in which they are offered.
        blocks: names of the blocks with a course.
        grids: lists of steps that courses share.
        courses: by ``"number of the block/number of the measure"``.
        omitted: blocks that found no place.
    """

    measures: list[str]
    blocks: list[str]
    grids: list[list[int]]
    courses: dict[str, Course]
    omitted: int


def read_courses(run: Run, blocks: Sequence[Block]) -> Courses:
    """Every measure of as many blocks as a page holds, at as many steps as there is room for.

    Of more than 400 blocks some 130 are kept, every few. Several values at a step, of ranks or of
    singular directions, become their mean.
    """
    apart = 1 if len(blocks) <= MOST_BLOCKS else -(-3 * len(blocks) // MOST_BLOCKS)
    chosen = [block.name for block in blocks[::apart]]
    rows = run.metrics(block=chosen) if chosen else pl.DataFrame()
    if rows.is_empty():
        return Courses([], [], [], {}, len(blocks) - len(chosen))
    series = (
        rows.filter(pl.col("value").is_finite())
        .group_by("block", "source", "measure", "step", maintain_order=True)
        .agg(pl.col("value").mean())
        .sort("step", maintain_order=True)
    )
    names = series.select(pl.concat_str("source", "measure", separator="/").unique().sort())
    measures = names.to_series().to_list()
    numbers = {name: number for number, name in enumerate(measures)}
    places = {name: number for number, name in enumerate(chosen)}
    groups = series.group_by("block", "source", "measure", maintain_order=True)
    count = series.select(pl.struct("block", "source", "measure").n_unique()).item()
    room = int(np.clip(MOST_VALUES // max(count, 1), FEWEST_POINTS, MOST_POINTS))
    grids: dict[tuple[int, ...], int] = {}
    courses = {}
    for (block, source, measure), samples in groups:
        kept = samples[_evenly(samples.height, room)]
        grid = grids.setdefault(tuple(kept["step"]), len(grids))
        key = f"{places[str(block)]}/{numbers[f'{source}/{measure}']}"
        courses[key] = Course(grid, pack(kept["value"].to_numpy()))
    return Courses(measures, chosen, [list(g) for g in grids], courses, len(blocks) - len(chosen))


def _evenly(size: int, count: int) -> np.ndarray:
    return np.unique(np.linspace(0, size - 1, min(size, count)).round().astype(np.int64))
