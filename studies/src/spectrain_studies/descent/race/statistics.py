"""What the race comes to: reliability of gains, shares of a gain."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

Matrix = Float64[np.ndarray, "blocks seeds"]


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
