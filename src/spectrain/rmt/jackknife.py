"""The delete-a-block jackknife: errors of any statistic of independent runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import Array


def jackknife(
    statistic: Callable[[Float[Array, " kept *shape"]], float],
    sample: Float[Array, " runs *shape"],
    *,
    blocks: int = 100,
) -> tuple[float, float]:
    """A statistic and its jackknife error: √((b − 1)/b Σ(θ₋ⱼ − θ̄)²) over b left-out blocks.

    With at least as many blocks as runs it is the delete-one jackknife.

    Args:
        statistic: function of a part of the runs.
        sample: one row a run, runs independent of each other.
        blocks: largest number of times the statistic is computed again.

    Raises:
        InputError: fewer than two runs or blocks.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 11.

    Example:
        >>> value, error = jackknife(np.mean, np.arange(10.0))
        >>> value, bool(np.isclose(error, np.arange(10.0).std(ddof=1) / np.sqrt(10)))
        (4.5, True)
    """
    runs = len(sample)
    if min(runs, blocks) < 2:
        raise InputError(
            f"{runs} runs in {blocks} blocks", remedy="pass at least two of both for an error"
        )
    parts = np.array_split(np.arange(runs), min(runs, blocks))
    left_out = np.array([statistic(np.delete(sample, part, axis=0)) for part in parts])
    spread = (len(parts) - 1) * left_out.var()
    return float(statistic(sample)), float(np.sqrt(spread))
