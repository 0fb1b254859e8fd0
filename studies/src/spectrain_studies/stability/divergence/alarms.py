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

GROWN, EARLY = " grown", 0.25
"""Ends the name of a score that is taken against its own early course, from the start to that share
of the run; before, it is not known."""

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
    taken away, and of one named ``… grown`` that of its early samples: what is usual differs from
    set-up to set-up.
    """
    name = score.removesuffix(RISEN).removesuffix(GROWN)
    steps = np.asarray(result["steps"])
    values = np.nan_to_num(np.asarray(result[name], dtype=np.float64), nan=-np.inf)
    begun = steps >= START * result.case.steps
    smooth, own, at = running_median(values, SMOOTH)[begun], values[begun], steps[begun]
    if name == score:
        return at, smooth
    early = at < EARLY * result.case.steps
    if score.endswith(RISEN):
        usual = running_median(own, len(values))
    else:
        usual = np.where(early, np.inf, np.median(own[early]) if early.any() else np.inf)
    with np.errstate(invalid="ignore"):
        risen = smooth - usual
    return at, np.nan_to_num(risen, nan=-np.inf, neginf=-np.inf, posinf=np.inf)


def threshold(results: Iterable[Result], score: str, level: float = LEVEL) -> float:
    """The least value that a score passes in at most that share of the runs.

    Args:
        results: healthy runs.
        score: name of it.
        level: the share.
    """
    highest = np.sort([course(result, score)[1].max(initial=-np.inf) for result in results])
    return float(highest[len(highest) - 1 - int(level * len(highest))])


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm is given.

    Attributes:
        thresholds: by score.
        together: whether all scores must be above theirs at once; else one of them.
        lasting: samples in a row for which that must be so.
    """

    thresholds: Mapping[str, float]
    together: bool = False
    lasting: int = 1


def alarm(result: Result, rule: Rule) -> int | None:
    """The first sampled step at which the rule gives an alarm."""
    courses = [(course(result, score), limit) for score, limit in rule.thresholds.items()]
    above = np.array([values > limit for (_, values), limit in courses])
    told = np.asarray(above.all(0) if rule.together else above.any(0))
    told = lasts(told.astype(np.float64), rule.lasting) > 0
    return int(courses[0][0][0][np.argmax(told)]) if told.any() else None


def lasts(values: Values, samples: int) -> Values:
    """The least of the last so many values; −∞ before there are so many.

    Example:
        >>> lasts(np.array([3.0, 1.0, 2.0, 2.0]), 2).tolist()
        [-inf, 1.0, 1.0, 2.0]
    """
    least = pl.Series(values).rolling_min(samples, min_samples=samples)
    found: Values = least.fill_null(-np.inf).to_numpy().copy()
    return found


def is_healthy(result: Result) -> bool:
    """Whether a run that should do no harm ends without a divergence."""
    return result.case.drive.healthy and not shown(result["losses"]).diverged


def healthy(results: Sequence[Result], *, test: bool) -> list[Result]:
    """Runs that should do no harm, at whose end the loss shows no divergence."""
    return [each for each in results if each.case.test is test and is_healthy(each)]


def diverged(results: Sequence[Result], *, test: bool) -> list[Result]:
    """Runs at whose end the loss shows a divergence."""
    return [each for each in results if each.case.test is test and shown(each["losses"]).diverged]


def lead(result: Result, rule: Rule) -> float:
    """Steps from the alarm to where the loss shows the divergence; −∞ without an alarm."""
    step, given = shown(result["losses"]).step, alarm(result, rule)
    return -np.inf if step is None or given is None else float(step - given)
