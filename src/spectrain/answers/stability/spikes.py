"""Spikes of the loss, and what left its course before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Float64

from spectrain.answers.series import read_series
from spectrain.answers.stability.indicators import SOURCES, Samples
from spectrain.answers.stability.moved import Series, first_moved
from spectrain.answers.stability.row import Spike
from spectrain.core import Block, Source
from spectrain.records import Run

Values = Float64[np.ndarray, " n"]

BEFORE = 32
"""Logged losses before a step that say what is usual."""

STANDS_OUT = 6.0
"""Robust standard deviations by which two successive losses exceed the median before them."""


MOST = 3
"""Spikes that are reported at most."""

MOVING = ("gradient", "weight", "logits", "stream", "moved")
"""Series that may move first."""

_MAD = 1.4826  # of a normal distribution, in standard deviations


def spikes(run: Run, blocks: Sequence[Block], series: Mapping[str, Samples]) -> tuple[Spike, ...]:
    """The first spikes of the logged loss: two successive values far above those before them."""
    losses = read_series(run, Source.TRAINING, "loss")
    steps, values = losses["step"].to_numpy(), losses["value"].to_numpy()
    spiked: list[Spike] = []
    courses = list(_recorded(blocks, series))
    for at, height in spike_places(values):
        step = int(steps[at])
        moved = first_moved(step, courses)
        spike = Spike(blocks=0, step=step, height=height)
        if moved is not None:
            spike = replace(spike, moved=moved.name, moved_at=moved.step, chance=moved.chance)
        spiked.append(spike)
        if len(spiked) == MOST:
            break
    return tuple(spiked)


def spike_places(values: Values) -> Iterator[tuple[int, float]]:
    """Places at which a spike begins, and the value there over the median before.

    Example:
        >>> loss = 2 + 0.1 * np.random.default_rng(0).standard_normal(100)
        >>> list(spike_places(loss))
        []
        >>> loss[60:64] += 3
        >>> [at for at, _ in spike_places(loss)]
        [60]
    """
    last = -BEFORE
    for at in range(BEFORE, len(values) - 1):
        median, spread = _usual(values[at - BEFORE : at])
        if at - last >= BEFORE and values[at : at + 2].min() > median + STANDS_OUT * spread:
            last = at
            yield at, float(values[at] / median) if median else np.inf


def _usual(values: Values) -> tuple[float, float]:
    median = float(np.median(values))
    spread = _MAD * float(np.median(np.abs(values - median)))
    return median, max(spread, 1e-3 * abs(median))


def _recorded(blocks: Sequence[Block], series: Mapping[str, Samples]) -> Iterator[Series]:
    """What may move before a spike, on a logarithmic scale."""
    for key in MOVING:
        label = "weight/logit_bound" if key == "logits" else "/".join(SOURCES[key])
        for block in blocks:
            samples = series[key].get(block.name)
            if samples is not None:
                kept = samples.filter(pl.col("value") > 0)
                logs = np.log(kept["value"].to_numpy())
                yield Series(f"{label} of {block.name}", kept["step"].to_numpy(), logs)
