"""Curves of the page: what the loop logged, few enough points to draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from spectrain.core import Source
from spectrain.page.format import label, rounded
from spectrain.records import Run

MOST_POINTS = 600


@dataclass(frozen=True, slots=True)
class Curve:
    """One logged number through training.

    Attributes:
        name: of the measure.
        label: its name for readers.
        steps: of the points.
        values: averages over the steps since the previous point.
        stretch: logged values a point stands for.
    """

    name: str
    label: str
    steps: list[int]
    values: list[float | None]
    stretch: int


def loss_curves(run: Run) -> list[Curve]:
    """Every logged number that is a loss by its name."""
    rows = run.metrics(source=Source.TRAINING).filter(
        pl.col("measure").str.contains("loss"), pl.col("value").is_finite()
    )
    means = rows.group_by("measure", "step", maintain_order=True).agg(pl.col("value").mean())
    return [
        thinned(str(name), series.sort("step"))
        for (name,), series in means.group_by("measure", maintain_order=True)
    ]


def sampled_steps(run: Run) -> list[int]:
    """The steps at which gradients were measured, thinned evenly to as many as can be drawn."""
    steps = run.metrics(source=Source.GRADIENT)["step"].unique().sort().to_numpy()
    return [int(step) for step in steps[:: -(-len(steps) // MOST_POINTS) or 1]]


def thinned(name: str, series: pl.DataFrame) -> Curve:
    """A series (columns step and value, by step) in at most 600 points, means of stretches."""
    stretch = -(-series.height // MOST_POINTS)
    points = np.arange(0, series.height, stretch)
    values = np.add.reduceat(series["value"].to_numpy(), points) / np.diff(
        points, append=series.height
    )
    ends = np.minimum(points + stretch, series.height) - 1
    steps = series["step"].to_numpy()[ends]
    return Curve(
        name, label(name), [int(s) for s in steps], [rounded(float(v)) for v in values], stretch
    )
