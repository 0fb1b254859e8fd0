"""Role × depth through time: one row for the blocks of a role at a depth, one column a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from spectrain.answers import QUESTIONS
from spectrain.answers.question import Heatmap
from spectrain.answers.series import read_series
from spectrain.core import Block, Role, Source
from spectrain.page.format import rounded
from spectrain.records import Run

MOST_COLUMNS = 160
MOST_CELLS = 20_000
_ROLES = list(Role)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a grid: the blocks of one role at one depth."""

    role: str
    depth: int | None
    blocks: int
    name: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A measure by role and depth through time.

    Attributes:
        key: short name.
        title: of the chart.
        unit: what the values are, in words.
        scale: how values become colours: ``share``, ``ratio`` (centred on 1) or ``decades``.
        steps: of the columns.
        values: the median over a row's blocks, one list a row of :func:`grid_rows`.
    """

    key: str
    title: str
    unit: str
    scale: str
    steps: list[int]
    values: list[list[float | None]]


def read_grids(run: Run, blocks: Sequence[Block]) -> list[Grid]:
    """The grids of the page; their values are empty where nothing was recorded."""
    rows = grid_rows(blocks)
    maps = [one for question in QUESTIONS.values() for one in question.heatmaps]
    return [
        Grid(one.key, one.title, one.unit, one.scale, *_cells(one.read(run, blocks), blocks, rows))
        for one in (*maps, _UPDATES)
    ]


def read_relative_updates(run: Run, blocks: Sequence[Block]) -> pl.DataFrame:
    """‖ΔW‖_F / ‖W‖_F of every block and step: columns block, step, value."""
    update = read_series(run, Source.UPDATE, "frobenius_norm")
    weight = read_series(run, Source.WEIGHT, "frobenius_norm").filter(pl.col("value") > 0)
    return (
        update.join(weight, on=["block", "step"], suffix="_weight")
        .select("block", "step", value=pl.col("value") / pl.col("value_weight"))
        .sort("step")
    )


_UPDATES = Heatmap(
    "update", "Relative update", "‖ΔW‖ / ‖W‖ per step", "decades", read_relative_updates
)


def grid_rows(blocks: Sequence[Block]) -> list[Row]:
    """Roles in their usual order, each from the first layer to the last."""
    cells: dict[tuple[Role, int], list[Block]] = {}
    for block in blocks:
        depth = -1 if block.depth is None else block.depth
        cells.setdefault((block.role, depth), []).append(block)
    return [
        Row(str(role), None if depth < 0 else depth, len(group), group[0].name)
        for (role, depth), group in sorted(
            cells.items(), key=lambda cell: (_ROLES.index(cell[0][0]), cell[0][1])
        )
    ]


def _cells(
    frame: pl.DataFrame, blocks: Sequence[Block], rows: Sequence[Row]
) -> tuple[list[int], list[list[float | None]]]:
    numbers = {(row.role, row.depth): number for number, row in enumerate(rows)}
    places = pl.DataFrame(
        [(block.name, numbers[str(block.role), block.depth]) for block in blocks],
        schema={"block": pl.String, "row": pl.Int64},
        orient="row",
    )
    chosen = frame.join(places, on="block")
    steps = chosen["step"].unique().sort().to_numpy()
    columns = min(MOST_COLUMNS, max(MOST_CELLS // max(len(rows), 1), 12))
    stretch = -(-len(steps) // columns) or 1
    column = np.searchsorted(steps, chosen["step"].to_numpy()) // stretch
    medians = (
        chosen.with_columns(column=pl.Series(column, dtype=pl.Int64))
        .group_by("row", "column")
        .agg(pl.col("value").median())
    )
    values = np.full((len(rows), -(-len(steps) // stretch)), np.nan)
    values[medians["row"].to_numpy(), medians["column"].to_numpy()] = medians["value"].to_numpy()
    table: list[list[float | None]] = [[rounded(v) for v in line] for line in values.tolist()]
    return [int(step) for step in steps[::stretch]], table
