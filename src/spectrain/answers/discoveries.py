"""Several tests at once, with the false discovery rate held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64


def q_values(p_values: Sequence[float]) -> Float64[np.ndarray, " n"]:
    """q-values of the procedure of Benjamini and Hochberg: min over j ≥ i of p₍ⱼ₎·n/j.

    As ``scipy.stats.false_discovery_control``, without importing ``scipy.stats``, which alone
    takes four tenths of a second.

    Source:
        Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, §3.1.

    Example:
        >>> q_values([0.01, 0.5, 0.02]).tolist()
        [0.03, 0.5, 0.03]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    unsorted = np.empty_like(p)
    unsorted[order] = np.minimum.accumulate(scaled)
    return np.minimum(unsorted, 1.0)
