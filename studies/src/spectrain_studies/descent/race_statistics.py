"""What the race comes to: rank correlations, reliability of gains, shares of a gain."""

from __future__ import annotations

from math import sqrt

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm, spearmanr

from spectrain.noise import Estimate
from spectrain_studies.frame.statistics import LEVEL

Matrix = Float64[np.ndarray, "blocks seeds"]


def rank_correlation(x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> Estimate:
    """Spearman's ρ with its 95 % interval: atanh ρ ± z·√((1 + ρ²/2)/(n − 3)).

    Source:
        Bonett & Wright 2000, Psychometrika 65.

    Example:
        >>> found = rank_correlation(np.arange(12.0), np.arange(12.0) ** 2 % 7)
        >>> found.low < found.value < found.high
        True
    """
    count = len(x)
    if count < 4 or not np.isfinite([*x, *y]).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        reason = "fewer than 4 pairs, a value that is not finite, or no spread"
        return Estimate.missing(reason, replicas=count, level=LEVEL)
    rho = float(spearmanr(x, y).statistic)
    error = sqrt((1 + rho**2 / 2) / (count - 3))
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    centre = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    low, high = np.tanh([centre - reach, centre + reach]).tolist()
    return Estimate(rho, (1 - rho**2) * error, low, high, count, LEVEL)


def reliability(gains: Matrix) -> float:
    """Share of the spread of mean gains over blocks that is not noise of the seeds.

    One minus the mean squared standard error over the variance of the means; a rank correlation
    with anything is at most about its root.

    Example:
        >>> reliability(np.array([[1.0, 1.0], [3.0, 3.0]]))
        1.0
    """
    spread = np.var(gains.mean(1), ddof=1)
    noise = np.mean(np.var(gains, axis=1, ddof=1) / gains.shape[1])
    return float(np.clip(1 - noise / spread, 0, 1)) if spread > 0 else 0.0


def share_of_gain(
    part: Float64[np.ndarray, " seeds"], whole: Float64[np.ndarray, " seeds"]
) -> tuple[float, Float64[np.ndarray, " seeds"]]:
    """Mean of part over mean of whole, and the same without each seed in turn.

    Example:
        >>> share_of_gain(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
        (0.5, array([0.5, 0.5]))
    """
    count = len(part)
    without = (part.sum() - part) / (whole.sum() - whole)
    return float(part.mean() / whole.mean()) if count else float("nan"), without
