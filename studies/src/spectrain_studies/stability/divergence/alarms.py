"""When the loss shows a divergence, and when a score gave the alarm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from spectrain_studies.frame import Result

Values = Float64[np.ndarray, " n"]

RISE, LEAST = 0.2, 0.05
"""A loss shows a divergence where its running median stands that share of what was gained above the
best one, and at least that share of the first loss."""

WINDOW = 9
"""Losses of the running median, and those at the start that show nothing yet."""

SMOOTH = 3
"""Samples of the running median of a score."""

START = 0.1
"""Share of a run, at its start, in which no score gives an alarm: there all of them move."""

RISEN = " risen"
"""Ends the name of a score that is taken against its own past."""

LEVEL = 0.05
"""Share of healthy runs of development in which a threshold may give an alarm."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the loss alone shows.

    Attributes:
        step: at which it first shows a divergence; none where it never does.
        diverged: whether it does at the end.
    """

    step: int | None
    diverged: bool


def shown(losses: Values) -> Shown:
    """When the loss shows that a run diverges.

    Args:
        losses: one a step; the last may not be finite.

    Example:
        >>> falling = np.linspace(3.0, 1.0, 50)
        >>> shown(np.array([*falling, *(10 * [2.0])])), shown(falling)
        (Shown(step=54, diverged=True), Shown(step=None, diverged=False))
    """
    known = np.where(np.isfinite(losses), losses, np.inf)
    medians = running_median(known, WINDOW)
    medians[: WINDOW - 1] = known[0]
    best = np.minimum.accumulate(medians)
    limit = np.maximum(RISE * (known[0] - best), LEAST * abs(known[0]))
    above = (medians > best + limit) | np.isinf(known)
    return Shown(int(np.argmax(above)) if above.any() else None, bool(above[-1]))


def running_median(values: Values, window: int) -> Values:
    """Of the last few values, as many as there are.

    Example:
        >>> running_median(np.array([3.0, 1.0, 2.0, 9.0]), 3).tolist()
        [3.0, 2.0, 2.0, 2.0]
    """
    found: Values = pl.Series(values).rolling_median(window, min_samples=1).to_numpy().copy()
    return found


def course(result: Result, score: str) -> tuple[Int64[np.ndarray, " n"], Values]:
    """Sampled steps after the start, and the running median of a score; −∞ where it is unknown.

    Of a score that is named ``… risen`` the median of all its samples so far, after the start, is
    taken away: what is usual differs from set-up to set-up.
    """
    steps, name = np.asarray(result["steps"]), score.removesuffix(RISEN)
    values = np.nan_to_num(np.asarray(result[name], dtype=np.float64), nan=-np.inf)
    later = steps >= START * result.case.steps
    smooth = running_median(values, SMOOTH)[later]
    if name != score:
        with np.errstate(invalid="ignore"):
            risen = smooth - running_median(values[later], len(values))
        smooth = np.nan_to_num(risen, nan=-np.inf, neginf=-np.inf, posinf=np.inf)
    return steps[later], smooth


def threshold(results: Iterable[Result], score: str, level: float = LEVEL) -> float:
    """The least value that a score passes in at most that share of the runs.

    Args:
        results: healthy runs.
        score: name of it.
        level: the share.
    """
    highest = np.sort([course(result, score)[1].max(initial=-np.inf) for result in results])
    return float(highest[len(highest) - 1 - int(level * len(highest))])


def alarm(result: Result, thresholds: Mapping[str, float]) -> int | None:
    """The first sampled step at which one of the scores is above its threshold."""
    first = []
    for score, limit in thresholds.items():
        steps, values = course(result, score)
        if (values > limit).any():
            first.append(int(steps[np.argmax(values > limit)]))
    return min(first, default=None)


def is_healthy(result: Result) -> bool:
    """Whether a run that should do no harm ends without a divergence."""
    return result.case.drive.healthy and not shown(result["losses"]).diverged


def healthy(results: Sequence[Result], *, test: bool) -> list[Result]:
    """Runs that should do no harm, at whose end the loss shows no divergence."""
    return [each for each in results if each.case.test is test and is_healthy(each)]


def diverged(results: Sequence[Result], *, test: bool) -> list[Result]:
    """Runs at whose end the loss shows a divergence."""
    return [each for each in results if each.case.test is test and shown(each["losses"]).diverged]


def lead(result: Result, thresholds: Mapping[str, float]) -> float:
    """Steps from the alarm to where the loss shows the divergence; −∞ without an alarm."""
    step, given = shown(result["losses"]).step, alarm(result, thresholds)
    return -np.inf if step is None or given is None else float(step - given)
