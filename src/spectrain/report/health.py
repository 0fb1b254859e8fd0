"""What an inspection found of every block: measures, randomness, and their course over layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from spectrain.answers import Finding
from spectrain.checkpoint.summary import blocks_frame
from spectrain.core import Role, Source
from spectrain.page.format import rounded
from spectrain.records import Run
from spectrain.report.waterfall import keep_slices

MOST_MOVED = 5
"""Number of the blocks that moved that are named."""

MOST_STEPS = 12
"""Number of steps of a series that are drawn."""

RANDOMNESS = {
    "tail": pl.String,
    "bulk_fraction": pl.Float64,
    "bulk_fraction_error": pl.Float64,
    "spikes": pl.Int64,
    "exponent": pl.Float64,
    "exponent_error": pl.Float64,
}
"""What the finding *randomness* adds to a block."""


def is_inspection(run: Run) -> bool:
    """Whether the records are those of checkpoints."""
    return "checkpoints" in run.manifest["config"]


def is_difference(run: Run) -> bool:
    """Whether they are those of the difference of two checkpoints."""
    return bool(run.manifest["config"].get("difference"))


def health_frame(run: Run, findings: Sequence[Finding[Any, Any]] = ()) -> pl.DataFrame:
    """A row for each block and step, with what was found of its randomness.

    Args:
        run: of an inspection.
        findings: the finding *randomness* among them, or not.

    Returns:
        The columns of :func:`~spectrain.checkpoint.summary.blocks_frame`, ``effective_share`` =
        erank(A)/min(m, n), and those of ``RANDOMNESS``.
    """
    frame = blocks_frame(run, Source.UPDATE if is_difference(run) else Source.WEIGHT)
    rows = [row for finding in findings if finding.name == "randomness" for row in finding.rows]
    judged = pl.DataFrame(
        [
            [row.step, row.block, *(getattr(row, name) for name in RANDOMNESS), row.reason]
            for row in rows
        ],
        schema={"step": pl.Int64, "block": pl.String, **RANDOMNESS, "unfitted": pl.String},
        orient="row",
    )
    share = pl.col("effective_rank") / pl.min_horizontal("rows", "columns")
    joined = frame.with_columns(effective_share=share).join(
        judged, on=["step", "block"], how="left", maintain_order="left"
    )
    return joined.with_columns(reason=pl.coalesce("reason", "unfitted")).drop("unfitted")


def moved(frame: pl.DataFrame) -> tuple[list[tuple[str, float]], list[str]]:
    """Of the difference of two checkpoints: the blocks that moved most, and those that did not.

    Example:
        >>> frame = pl.DataFrame({"block": ["a", "b", "c"], "relative_change": [0.0, 0.1, 0.3]})
        >>> moved(frame) == ([("c", 0.3), ("b", 0.1)], ["a"])
        True
    """
    if "relative_change" not in frame.columns:  # of two changes of one base
        return [], []
    known = frame.filter(pl.col("relative_change").is_not_null())
    far = known.filter(pl.col("relative_change") > 0).sort("relative_change", descending=True)
    still = known.filter(pl.col("relative_change") == 0)["block"].to_list()
    return list(far.head(MOST_MOVED).select("block", "relative_change").iter_rows()), still


@dataclass(frozen=True, slots=True)
class Lane:
    """The blocks of one role in the order in which they are drawn.

    Attributes:
        role: the role.
        places: layer of each, or its number in the file.
        names: of the blocks; where several share a layer, of the first.
        values: by measure, step by step; ``None`` where there is no answer.
    """

    role: str
    places: list[int]
    names: list[str]
    values: dict[str, list[list[float | None]]]


@dataclass(frozen=True, slots=True)
class Profiles:
    """Measures over the layers, a lane for each role.

    Attributes:
        by_layer: whether the places are layers.
        steps: that are drawn.
        lanes: one a role.
    """

    by_layer: bool
    steps: list[int]
    lanes: list[Lane]


def read_profiles(frame: pl.DataFrame, measures: Sequence[str]) -> Profiles:
    """Measures of a health frame over layers, or over the file where the names show no layers.

    Where several blocks of a role share a layer their median is taken.
    """
    by_layer = frame["depth"].drop_nulls().n_unique() > 1
    order = frame["block"].unique(maintain_order=True)
    numbers = pl.DataFrame({"block": order, "number": range(1, len(order) + 1)})
    placed = frame.join(numbers, on="block", maintain_order="left").with_columns(
        place=pl.col("depth" if by_layer else "number")
    )
    steps = frame["step"].unique().sort().to_list()
    steps = [steps[place] for place in keep_slices(len(steps), MOST_STEPS)] if steps else []
    lanes = []
    kept = placed.filter(pl.col("place").is_not_null())
    groups = kept.group_by("role", maintain_order=True)
    for (role,), rows in sorted(groups, key=lambda group: group[0][0] == Role.NORM):
        cells = rows.group_by("step", "place").agg(
            pl.col("block").first(), *(pl.col(measure).median() for measure in measures)
        )
        places = cells.select("place", "block").unique("place", keep="first").sort("place")
        grid = [places.join(cells.filter(step=step), on="place", how="left") for step in steps]
        grid = [one.sort("place") for one in grid]
        lanes.append(
            Lane(
                str(role),
                places["place"].to_list(),
                places["block"].to_list(),
                {m: [[rounded(value) for value in one[m]] for one in grid] for m in measures},
            )
        )
    return Profiles(by_layer, steps, lanes)
