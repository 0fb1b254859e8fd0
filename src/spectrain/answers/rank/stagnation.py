"""Stagnation against rank collapse: lagged correlations with block-bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtrit

from spectrain.answers.trend import ENOUGH, LEVEL, autocorrelation, detrended

LAGS = (-2, -1, 0, 1, 2)
"""Samples by which the rank goes before (positive) or after (negative) the progress."""

FEWEST = 3 * ENOUGH
"""Samples below which no correlation is given: intervals of shorter series cover too little."""

Series = Float64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Lagged:
    """Correlation of two series at the lag where it is strongest.

    Attributes:
        lag: samples by which the first series goes before the second.
        correlation: of the residuals about straight lines.
        low: lower end of the 95 % interval, simultaneous over all lags.
        high: upper end.
        samples: pairs at that lag.
    """

    lag: int
    correlation: float
    low: float
    high: float
    samples: int

    @property
    def found(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def lagged(
    first: Series, second: Series, generator: np.random.Generator, *, resamples: int = 999
) -> Lagged | None:
    """The strongest correlation of ``first`` at t with ``second`` at t + lag.

    Both series are detrended, since two that merely fall together correlate whatever their cause.
    The interval is Fisher's z ± quantile · s. s is the standard deviation of z over resamples of
    moving blocks of pairs, or Bartlett's 1/√(n' − 3) if that is larger, as it is in short series,
    whose blocks are few: n' = n(1 − ρ)/(1 + ρ), ρ the product of both autocorrelations. The
    quantile is Student's with n' − 3 degrees of freedom, Bonferroni's over the lags. Blocks have
    the length (2ρ/(1 − ρ²))^(2/3)·n^(1/3).

    Args:
        first: n values in time order.
        second: n values at the same times.
        generator: source of randomness.
        resamples: of the bootstrap.

    Returns:
        ``None`` where there are fewer than :data:`FEWEST` values, or one series is constant.

    Source:
        Künsch 1989 (moving blocks of pairs); Carlstein 1986 (block length for a first-order
        autoregression); Bartlett 1946; Fisher 1915.

    Example:
        >>> draws = np.random.default_rng(0)
        >>> pace = draws.standard_normal(60)
        >>> rank = np.roll(pace, -1) + 0.3 * draws.standard_normal(60)
        >>> found = lagged(rank, pace, np.random.default_rng(1))
        >>> found.lag, found.found
        (1, True)
    """
    if len(first) < FEWEST:
        return None
    x, y = detrended(first), detrended(second)
    if not np.ptp(x) or not np.ptp(y):
        return None
    rho = float(autocorrelation(x) * autocorrelation(y))
    best: Lagged | None = None
    for lag in LAGS:
        pairs = _pairs(x, y, lag)
        z = _fisher(pairs)
        degrees = max(pairs.shape[-1] * (1 - rho) / (1 + rho) - 3, 1.0)
        spread = float(np.std(_fisher(_resampled(pairs, rho, generator, resamples))))
        quantile = float(stdtrit(degrees, 1 - (1 - LEVEL) / 2 / len(LAGS)))
        reach = quantile * max(spread, degrees**-0.5)
        low, high = float(np.tanh(z - reach)), float(np.tanh(z + reach))
        found = Lagged(lag, float(np.tanh(z)), low, high, pairs.shape[-1])
        if best is None or abs(found.correlation) > abs(best.correlation):
            best = found
    return best


def _pairs(x: Series, y: Series, lag: int) -> Float64[np.ndarray, "2 overlap"]:
    count = len(x) - abs(lag)
    start = max(-lag, 0)
    return np.stack([x[start : start + count], y[start + lag : start + lag + count]])


def _resampled(
    pairs: Float64[np.ndarray, "2 n"], rho: float, generator: np.random.Generator, count: int
) -> Float64[np.ndarray, "2 {count} n"]:
    n = pairs.shape[1]
    wanted = (2 * rho / (1 - rho**2)) ** (2 / 3) * n ** (1 / 3)
    length = int(np.clip(np.ceil(wanted), np.ceil(n ** (1 / 3)), n // 3))
    blocks = -(-n // length)
    starts = generator.integers(0, n - length + 1, (count, blocks))
    places = (starts[..., None] + np.arange(length)).reshape(count, -1)[:, :n]
    return pairs[:, places]


def _fisher(pairs: Float64[np.ndarray, "2 *batch n"]) -> Float64[np.ndarray, "*batch"]:
    """Fisher's z of Pearson's correlation along the last axis."""
    x, y = pairs - pairs.mean(-1, keepdims=True)
    scale = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    r = (x * y).sum(-1) / np.where(scale == 0, 1.0, scale)
    return np.asarray(np.arctanh(np.clip(r, -0.999999, 0.999999)))
