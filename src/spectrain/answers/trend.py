"""Trends and medians of short autocorrelated series, by post-blackened moving-block bootstrap.

Samples of a training run follow each other, so neighbours resemble each other. The residuals are
whitened by a first-order autoregression, resampled in blocks, and coloured again (Davison &
Hinkley 1997, §8.2.3). The autoregression's coefficient is corrected for its bias in short series
and raised by one standard error, because underestimating it is what makes trend tests find trends
in noise. The false-positive rates that remain are measured in ``tests/answers/test_trend.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64
from scipy.linalg import solve_banded

from spectrain.core import InputError

ENOUGH = 8
"""Fewest samples of which anything is said."""

LEVEL = 0.95
"""Coverage of all intervals."""

Values = Float64[np.ndarray, " n"]
Batch = Float64[np.ndarray, "*batch n"]
Numbers = Float64[np.ndarray, "*batch"]

_HIGHEST = 0.97  # autoregressive coefficient
_LONGEST = 512  # values; of a longer series the medians of so many stretches are taken


@dataclass(frozen=True, slots=True)
class Trend:
    """Whether a series rises or falls with time.

    Attributes:
        rho: Spearman's correlation of the series with time.
        p_value: two-sided, under stationary autocorrelated noise.
        autocorrelation: of neighbouring residuals, corrected for bias.
        samples: length of the series.
    """

    rho: float
    p_value: float
    autocorrelation: float
    samples: int


def trend(values: Values, generator: np.random.Generator, *, resamples: int = 1999) -> Trend:
    """Test a series against "no monotone trend".

    The statistic is the slope of the values' ranks in time over its own standard error, so that
    neither outliers nor the choice of linear or logarithmic time matter; its null distribution is
    that of resampled residuals around the slope.

    Args:
        values: the series in time order, n values.
        generator: source of randomness.
        resamples: of the bootstrap; the smallest possible p-value is 1/(resamples + 1).

    Raises:
        InputError: there are fewer than :data:`ENOUGH` values, or one is not finite.

    Example:
        >>> noise = np.random.default_rng(0).standard_normal(40)
        >>> trend(np.arange(40) / 10 + noise, np.random.default_rng(1)).p_value < 0.01
        True
        >>> trend(noise, np.random.default_rng(1)).p_value > 0.05
        True
    """
    samples = len(values)
    values = _prepare(values)
    ranks = pl.Series(values).rank("average").to_numpy()
    slope, residuals = _fit(ranks)
    if not np.ptp(values):
        return Trend(0.0, 1.0, 0.0, samples)
    rho = float(np.corrcoef(np.arange(len(values)), ranks)[0, 1])
    if np.allclose(residuals, 0.0):  # strictly monotone: no noise that could be resampled
        return Trend(rho, 1 / (1 + resamples), 0.0, samples)
    statistic = slope / _scale(residuals)
    slopes, rests = _fit(resample(residuals, generator, resamples))
    null = np.abs(slopes / _scale(rests)) * _taken(len(values))
    exceeding = int(np.count_nonzero(null >= abs(statistic)))
    p_value = (1 + exceeding) / (1 + resamples)
    return Trend(rho, p_value, float(autocorrelation(residuals)), samples)


def median_interval(
    values: Values, generator: np.random.Generator, *, resamples: int = 999
) -> tuple[float, float, float]:
    """Median of a stationary autocorrelated series, and its 95 % interval.

    Args:
        values: the series in time order, n values.
        generator: source of randomness.
        resamples: of the bootstrap.

    Returns:
        Median, lower and upper end (basic bootstrap interval).

    Raises:
        InputError: there are fewer than :data:`ENOUGH` values, or one is not finite.

    Example:
        >>> values = 3 + np.random.default_rng(0).standard_normal(50)
        >>> median, low, high = median_interval(values, np.random.default_rng(1))
        >>> low < 3 < high
        True
    """
    values = _prepare(values)
    median = float(np.median(values))
    return _around(median, _median_errors(values, generator, resamples))


def shift_interval(
    early: Values, late: Values, generator: np.random.Generator, *, resamples: int = 999
) -> tuple[float, float, float]:
    """Median of ``late`` minus median of ``early``, and its 95 % interval.

    Args:
        early: a stretch of the series in time order.
        late: a later stretch, not overlapping.
        generator: source of randomness.
        resamples: of the bootstrap.

    Raises:
        InputError: a stretch has fewer than :data:`ENOUGH` values, or one is not finite.
    """
    early, late = _prepare(early), _prepare(late)
    shift = float(np.median(late) - np.median(early))
    errors = _median_errors(late, generator, resamples) - _median_errors(
        early, generator, resamples
    )
    return _around(shift, errors)


def resample(
    residuals: Values, generator: np.random.Generator, count: int
) -> Float64[np.ndarray, "{count} n"]:
    """Series that are autocorrelated like ``residuals`` and have no trend.

    Args:
        residuals: n values around 0 in time order.
        generator: source of randomness.
        count: number of series.

    Returns:
        count × n values.
    """
    n = len(residuals)
    phi = float(autocorrelation(residuals))
    phi = min(phi + np.sqrt((1 - phi**2) / n), _HIGHEST)
    innovations = residuals[1:] - phi * residuals[:-1]
    innovations = innovations - innovations.mean()
    run_in = int(np.ceil(np.log(0.01) / np.log(phi)))
    length = _block(n)
    blocks = -(-(n + run_in) // length)
    starts = generator.integers(0, n - length, (count, blocks))
    drawn = innovations[starts[..., None] + np.arange(length)].reshape(count, -1)[:, : run_in + n]
    recursion = np.broadcast_to([[1.0], [-phi]], (2, run_in + n))  # x_t − φx_{t−1} is what is drawn
    return np.asarray(solve_banded((1, 0), recursion, drawn.T).T)[:, run_in:]


def _block(samples: int) -> int:
    """Length of the stretches in which innovations are resampled: ∛n (Hall et al. 1995)."""
    return round(samples ** (1 / 3))


def _taken(samples: int) -> float:
    """By how much slopes of resampled residuals scatter too little in units of their scale.

    Residuals have lost the line that was fitted to them: a share 2/n of the variance of each, and
    2l/n of that of the sum of l neighbours, of which slopes are made.
    """
    length = _block(samples)
    return float(np.sqrt((1 - 2 / samples) / (1 - 2 * length / samples)))


def _fit(values: Batch) -> tuple[Numbers, Batch]:
    """Least-squares slope in time, and residuals, along the last axis."""
    n = values.shape[-1]
    time = np.arange(n) - (n - 1) / 2
    centred = values - values.mean(-1, keepdims=True)
    slope = np.asarray(centred @ time / (time @ time))
    return slope, centred - slope[..., None] * time


def autocorrelation(residuals: Batch) -> Numbers:
    """Lag-1 autocorrelation, corrected for what the fitted line takes away; within 0 and 0.97."""
    n = residuals.shape[-1]
    products = (residuals[..., 1:] * residuals[..., :-1]).sum(-1)
    squares = (residuals**2).sum(-1)
    raw = products / np.where(squares == 0, 1.0, squares)
    return np.asarray(np.clip((n * raw + 2) / (n - 4), 0.0, _HIGHEST))


def _scale(residuals: Batch) -> Numbers:
    """Proportional to the standard error of the slope under first-order autocorrelation."""
    phi = autocorrelation(residuals)
    scale = np.sqrt((residuals**2).sum(-1) * (1 + phi) / (1 - phi))
    return np.where(scale == 0, np.finfo(np.float64).tiny, scale)


def _median_errors(
    values: Values, generator: np.random.Generator, resamples: int
) -> Float64[np.ndarray, " r"]:
    return np.median(resample(values - np.median(values), generator, resamples), axis=1)


def _around(estimate: float, errors: Float64[np.ndarray, " r"]) -> tuple[float, float, float]:
    """The estimate in its basic bootstrap interval, which ends there at the least.

    Of skewed values all resampled medians may lie on one side of 0.
    """
    low, high = np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return estimate, estimate - max(float(high), 0.0), estimate - min(float(low), 0.0)


def _prepare(values: Values) -> Float64[np.ndarray, " m"]:
    """The series, refused where nothing can be said of it, its stretches' medians where long."""
    if values.ndim != 1 or len(values) < ENOUGH:
        raise InputError(
            f"a series of shape {values.shape} is too short", remedy=f"pass {ENOUGH} values or more"
        )
    if not np.isfinite(values).all():
        raise InputError("a series holds values that are not finite", remedy="drop them first")
    if len(values) <= _LONGEST:
        return values
    return np.array([np.median(stretch) for stretch in np.array_split(values, _LONGEST)])
