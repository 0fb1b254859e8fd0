"""Which blocks learn too fast or too slowly for their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import polars as pl
from scipy.special import stdtr

from spectrain.answers.discoveries import q_values
from spectrain.answers.stability.growth import mean_interval
from spectrain.answers.stability.indicators import Samples
from spectrain.answers.stability.row import Pace
from spectrain.answers.trend import ENOUGH, LEVEL
from spectrain.core import Block

FACTOR = 8.0
"""Times the median block from which on a pace is named. Adam's step moves an output by up to its
fan-in times the rate, and the fan-ins of a layer differ by 4: twice that is no longer a matter of
roles."""

WARMED = 2 / 3
"""Share of the samples, at the end, that give a pace; unlike growth, it need not have settled."""

FEWEST = 3
"""Fewest blocks whose median says something."""


@dataclass(frozen=True, slots=True)
class Paced:
    """‖ΔW x‖_rms/‖x‖_rms of a block over that of the median block, with its 95 % interval."""

    pace: Pace
    ratio: float
    low: float
    high: float


def paces(blocks: Sequence[Block], series: Mapping[str, Samples]) -> dict[str, Paced]:
    """The pace of each block after the start, the false discovery rate held at 5 %.

    Blocks are compared step by step, so that a rate that all share does not matter.
    """
    names = [block.name for block in blocks if block.name in series["moved"]]
    if len(names) < FEWEST:
        return {}
    moved = pl.concat([series["moved"][name] for name in names]).filter(pl.col("value") > 0)
    logs = moved.select("block", "step", log=pl.col("value").log())
    median = logs.group_by("step").agg(
        pl.col("log").median().alias("median"), pl.len().alias("blocks")
    )
    joined = logs.join(median.filter(pl.col("blocks") >= FEWEST), on="step").sort("step")
    intervals: dict[str, tuple[float, float, float, float]] = {}
    for (name,), rows in joined.group_by("block", maintain_order=True):
        ratios = (rows["log"] - rows["median"]).to_numpy()
        ratios = ratios[-max(int(len(ratios) * WARMED), ENOUGH) :]
        if len(ratios) >= ENOUGH:
            mean, low, high, error = mean_interval(ratios)
            beyond = (abs(mean) - log(FACTOR)) / max(error, np.finfo(np.float64).tiny)
            intervals[str(name)] = mean, low, high, float(stdtr(len(ratios) - 1, -beyond))
    chances = [p for *_, p in intervals.values()]
    return {
        name: Paced(_pace(mean, float(q)), exp(mean), exp(low), exp(high))
        for (name, (mean, low, high, _)), q in zip(
            intervals.items(), q_values(chances), strict=True
        )
    }


def _pace(mean: float, q_value: float) -> Pace:
    if q_value > 1 - LEVEL:
        return Pace.EVEN
    return Pace.FAST if mean > 0 else Pace.SLOW
