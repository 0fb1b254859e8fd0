"""What left its own course before a step, and how often something does at any other step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int
from numpy.lib.stride_tricks import sliding_window_view

Values = Float64[np.ndarray, " n"]
Steps = Int[np.ndarray, " n"]

SAMPLES, MOVES = 12, 8.0
"""Samples before that say what is usual of a series, and robust standard deviations beyond."""

LONGEST = 3 * SAMPLES
"""Samples for which what left its course may have done so."""

PLACEBOS = 20
"""Earlier steps that are needed to establish a chance of one in twenty."""

CHANCE = 0.05
"""Chance, estimated from the earlier steps, up to which what stands out is reported."""

FINEST = 1e-3
"""Least standard deviation of a logarithm that is assumed, 0.1 %."""

_MAD = 1.4826  # of a normal distribution, in standard deviations


@dataclass(frozen=True, slots=True)
class Series:
    """A recorded series.

    Attributes:
        name: of measure and block.
        steps: of its samples, in order.
        logs: logarithms of its values.
    """

    name: str
    steps: Steps
    logs: Values


@dataclass(frozen=True, slots=True)
class Moved:
    """What left its course first.

    Attributes:
        name: of the series.
        step: of the first sample beyond.
        chance: that some series stands out at a step, by the earlier ones.
    """

    name: str
    step: int
    chance: float


def first_moved(step: int, series: Sequence[Series]) -> Moved | None:
    """The series that left its own band first before a step, and stayed outside until then.

    A series is outside where all samples from some one on lie more than :data:`MOVES` robust
    standard deviations above the median of the :data:`SAMPLES` before that one. Among many series
    some one always is, sooner or later. How often is counted in the same run: whether any series
    was outside at each of the n steps that were sampled before the one found. With h such steps the
    chance is (h + 1)/(n + 1), that of a test by placebos. Nothing is reported where it exceeds
    :data:`CHANCE`, or with fewer than :data:`PLACEBOS` such steps.

    Source:
        Davison & Hinkley 1997, Bootstrap Methods and their Application, §4.2 (the chance of a
        Monte Carlo test).

    Example:
        >>> steps = np.arange(60)
        >>> calm = np.random.default_rng(0).normal(size=60)
        >>> moved = np.where(steps < 55, calm, calm + 30)
        >>> first_moved(60, [Series("calm", steps, calm)]) is None
        True
        >>> first = first_moved(60, [Series("calm", steps, calm), Series("moved", steps, moved)])
        >>> first.name, first.step, round(first.chance, 3)
        ('moved', 55, 0.023)
    """
    outside: list[tuple[int, float, str]] = []
    marks = [(one, *_outside(one, step)) for one in series]
    for one, since, by in marks:
        if len(since) and since[-1] >= 0:
            outside.append((int(one.steps[since[-1]]), -float(by[-1]), one.name))
    if not outside:
        return None
    at, _, name = min(outside)
    chance = _chance(at, marks)
    if chance is None or chance > CHANCE:
        return None
    return Moved(name, at, chance)


def _outside(one: Series, step: int) -> tuple[Int[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Of each sample before a step: where the stretch outside that it ends began, and how far out.

    −1 where the sample is inside.
    """
    count = int(np.searchsorted(one.steps, step))
    logs = one.logs[:count]
    since, by = np.full(count, -1), np.zeros(count)
    if count <= SAMPLES:
        return since, by
    before = sliding_window_view(logs[:-1], SAMPLES)  # the row of sample i is i − SAMPLES
    median = np.median(before, axis=1)
    spread = np.maximum(_MAD * np.median(np.abs(before - median[:, None]), axis=1), FINEST)
    lowest = np.full(count, np.inf)
    for back in range(min(LONGEST, count - SAMPLES)):
        ends = np.arange(SAMPLES + back, count)
        lowest[ends] = np.minimum(lowest[ends], logs[ends - back])
        began = ends - back
        above = (lowest[ends] - median[began - SAMPLES]) / spread[began - SAMPLES]
        chosen = above > MOVES
        since[ends[chosen]], by[ends[chosen]] = began[chosen], above[chosen]
    return since, by


def _chance(
    before: int, marks: Sequence[tuple[Series, Int[np.ndarray, " m"], Float64[np.ndarray, " m"]]]
) -> float | None:
    """(h + 1)/(n + 1), a series outside at h of the n steps before; ``None`` if too few."""
    known = [(one.steps[: len(since)], since) for one, since, _ in marks if len(since) > SAMPLES]
    if not known:
        return None
    every = np.unique(np.concatenate([steps for steps, _ in known]))
    placebos = every[every < before][SAMPLES:]
    if len(placebos) < PLACEBOS:
        return None
    stood: Bool[np.ndarray, " p"] = np.zeros(len(placebos), dtype=np.bool_)
    for steps, since in known:
        last = np.searchsorted(steps, placebos, side="right") - 1
        stood |= (last >= 0) & (since[np.maximum(last, 0)] >= 0)
    return float((stood.sum() + 1) / (len(stood) + 1))
