"""When something that grows passes a limit: a line through the logarithms of late samples."""

from __future__ import annotations

from math import inf, isfinite, log, sqrt

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtr, stdtrit

from spectrain.answers.stability.row import Course, Indicator
from spectrain.answers.trend import ENOUGH, LEVEL, autocorrelation

Values = Float64[np.ndarray, " n"]

HIGHEST = 0.97
"""Largest autocorrelation that is assumed."""

LATE = 1 / 3
"""Share of the samples, at the end, whose rate counts: growth that has levelled off does not
count."""


def late(values: Values) -> Float64[np.ndarray, " m"]:
    """The last third, or the last few where that has too few.

    Example:
        >>> late(np.arange(60.0)).size, late(np.arange(9.0)).size
        (20, 8)
    """
    return values[-max(int(len(values) * LATE), ENOUGH) :]


def course(indicator: Indicator, steps: Values, values: Values, limit: float) -> Course | None:
    """The rate of late growth, and when it leads to the limit.

    The slope b of ln v over the step, and its standard error under first-order autocorrelation of
    the residuals. The null hypothesis is that the limit is not passed within the horizon h, as
    many steps as were recorded: b ≤ ln(limit/v)/h.

    Args:
        indicator: which.
        steps: of the samples, in order.
        values: positive.
        limit: positive.

    Returns:
        ``None`` for fewer than :data:`~spectrain.answers.trend.ENOUGH` values.

    Example:
        >>> steps = np.arange(60.0)
        >>> gain = course(Indicator.GAIN, steps, np.exp(0.05 * steps), limit=100.0)
        >>> round(gain.rate, 4), round(gain.passes)  # ln 100 / 0.05
        (0.05, 92)
    """
    if len(values) < ENOUGH:
        return None
    horizon = steps[-1] - steps[0]
    at, logs = late(steps), np.log(late(values))
    time = at - at[-1]
    spread = time - time.mean()
    slope = float(spread @ logs / (spread @ spread))
    now = float(logs.mean() - slope * time.mean())
    rest = logs - now - slope * time
    n = len(logs)
    phi = _raised(rest, 2.0)
    variance = float(rest @ rest) / (n - 2) * (1 + phi) / (1 - phi)
    error = max(sqrt(variance / float(spread @ spread)), np.finfo(np.float64).tiny)
    freedom = max((n - 2) * (1 - phi) / (1 + phi), 1.0)
    margin = log(limit) - now
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Course(
        indicator=indicator,
        value=float(np.exp(now)),
        limit=limit,
        rate=slope,
        low=slope - half,
        high=slope + half,
        passes=_passes(at[-1], margin, slope),
        earliest=_passes(at[-1], margin, slope + half),
        latest=_passes(at[-1], margin, slope - half),
        p_value=float(stdtr(freedom, (margin / horizon - slope) / error)),
        samples=n,
    )


def mean_interval(values: Values, level: float = LEVEL) -> tuple[float, float, float, float]:
    """Mean of an autocorrelated series, its interval, and its standard error.

    Example:
        >>> mean, low, high, _ = mean_interval(np.array([1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]))
        >>> mean, low < mean < high
        (2.0, True)
    """
    n = len(values)
    mean = float(values.mean())
    phi = _raised(values - mean, 1.0)
    error = float(values.std(ddof=1)) * sqrt((1 + phi) / ((1 - phi) * n))
    freedom = max((n - 1) * (1 - phi) / (1 + phi), 1.0)
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return mean, mean - half, mean + half, error


def _raised(rest: Values, errors: float) -> float:
    """Autocorrelation, raised by some standard errors: in short series it comes out too low."""
    phi = float(autocorrelation(rest))
    return min(phi + errors * sqrt((1 - phi**2) / len(rest)), HIGHEST)


def _passes(last: float, margin: float, rate: float) -> float | None:
    if margin <= 0:
        return float(last)
    when = float(last) + margin / float(rate) if rate > 0 else inf
    return when if isfinite(when) else None
