"""Singular values with white noise taken out, and how far to trust them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

Values = Float64[np.ndarray, " n"]


def denoised(values: Values, shape: tuple[int, int], variance: float) -> Values:
    """Singular values of S, out of those of S + E, where E has iid entries of variance s².

    A value above the edge s(√m + √n) of the noise belongs to
    θ² = (a + √(a² − 4mns⁴))/2 with a = σ² − (m + n)s²; what lies below cannot be distinguished from
    noise and becomes 0. It inverts σ² = (θ² + ms²)(θ² + ns²)/θ², exact for few directions in large
    matrices; directions below (mn)^¼ s are lost.

    Args:
        values: singular values, n of them.
        shape: (m, n) of the matrix.
        variance: s² of an entry of the noise.

    Source:
        Benaych-Georges & Nadakuditi 2012, J. Multivariate Anal. 111, §3.1.

    Example:
        >>> signal = denoised(np.array([3.0, 1.5]), (100, 100), 0.01)
        >>> [round(float(value), 3) for value in signal]
        [2.618, 0.0]
    """
    m, n = shape
    squared = values**2
    a = squared - (m + n) * variance
    above = values > np.sqrt(variance) * (np.sqrt(m) + np.sqrt(n))
    root = np.sqrt(np.where(above, a**2 - 4 * m * n * variance**2, 0.0).clip(min=0.0))
    return np.where(above, np.sqrt((a + root).clip(min=0.0) / 2), 0.0)
