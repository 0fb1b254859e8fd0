"""Spikes of the loss, and what left its course before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from spectrain.answers.series import read_series
from spectrain.answers.stability.indicators import SOURCES, Samples
from spectrain.answers.stability.row import Spike
from spectrain.core import Block, Source
from spectrain.records import Run

Values = Float64[np.ndarray, " n"]

BEFORE = 32
"""Logged losses before a step that say what is usual."""

STANDS_OUT = 6.0
"""Robust standard deviations by which two successive losses exceed the median before them."""

SAMPLES, MOVES = 12, 8.0
"""Samples before a spike that say what is usual of a measure, and standard deviations beyond."""

MOST = 3
"""Spikes that are told."""

MOVING = ("gradient", "weight", "logits", "stream", "moved")
"""Series that may move first."""

_MAD = 1.4826  # of a normal distribution, in standard deviations


def spikes(run: Run, blocks: Sequence[Block], series: Mapping[str, Samples]) -> tuple[Spike, ...]:
    """The first spikes of the logged loss: two successive values far above those before them."""
    losses = read_series(run, Source.TRAINING, "loss")
    steps, values = losses["step"].to_numpy(), losses["value"].to_numpy()
    found = []
    for at, height in spike_places(values):
        moved = _first_moved(int(steps[at]), blocks, series)
        name, when = moved or (None, None)
        found.append(Spike(blocks=0, step=int(steps[at]), height=height, moved=name, moved_at=when))
        if len(found) == MOST:
            break
    return tuple(found)


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


def _first_moved(
    step: int, blocks: Sequence[Block], series: Mapping[str, Samples]
) -> tuple[str, int] | None:
    """The block and measure whose sample left its course first, from the samples before a spike.

    A sample counts from where all later ones before the spike stand out as well.
    """
    found: list[tuple[int, float, str]] = []
    for key in MOVING:
        label = "weight/logit_bound" if key == "logits" else "/".join(SOURCES[key])
        for block in blocks:
            samples = series[key].get(block.name)
            if samples is None:
                continue
            past = samples.filter(pl.col("step") <= step, pl.col("value") > 0)
            moved = _left(past["step"].to_numpy(), np.log(past["value"].to_numpy()))
            if moved is not None:
                found.append((moved[0], -moved[1], f"{label} of {block.name}"))
    if not found:
        return None
    at, _, name = min(found)
    return name, at


def _left(steps: np.ndarray, logs: Values) -> tuple[int, float] | None:
    """Where the last stretch that stands out from the samples before it begins, and by how much."""
    best = None
    for at in range(len(logs) - 1, SAMPLES - 1, -1):
        median, spread = _usual(logs[at - SAMPLES : at])
        above = float(logs[at:].min() - median) / spread
        if above > MOVES:
            best = int(steps[at]), above
        elif best is not None or at < len(logs) - SAMPLES:
            break
    return best
