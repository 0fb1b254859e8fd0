"""Directions and kind of noise over several samples of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc

from spectrain.noise.comparison import Verdict
from spectrain.noise.signal import SIGNAL_LEVEL

RESOLVED = 3
"""Signal directions that a sample needs to determine the kind of its noise."""


def pooled_count(p: Sequence[Sequence[float]], *, level: float = SIGNAL_LEVEL) -> int:
    """Number of signal directions that all samples of a block establish together.

    The i-th smallest p-value of every sample is combined by Fisher's method, −2Σ ln p against χ²
    with 2S degrees of freedom; directions are counted until the first that stays above the level.
    Each p-value is already that of the largest statistic of its sample, so a block without signal
    has at least one direction with a probability of at most the level, over all its samples
    together. Samples of too few replicas to decide on their own decide together.

    Args:
        p: of every direction, by sample; samples are independent.
        level: of the whole.

    Source:
        Fisher 1932, §21.1; Westfall & Young 1993, §2.3.

    Example:
        >>> pooled_count([[1 / 8, 1.0]]), pooled_count([[1 / 8, 1.0]] * 6)   # of four replicas
        (0, 1)
    """
    ordered = zip(*(sorted(sample) for sample in p), strict=False)
    count = 0
    for values in ordered:
        if chdtrc(2 * len(values), -2 * np.log(values).sum()) > level:
            break
        count += 1
    return count


def pooled_kind(kinds: Sequence[Verdict]) -> tuple[Verdict, int]:
    """The kind of noise that more than half of the samples show, and how many do.

    One sample in many says nothing about a run, however certain it is.

    Args:
        kinds: what each sample says; one with fewer than :data:`RESOLVED` signal directions is
            undecided.

    Example:
        >>> pooled_kind(["isotropic additive", "undecided", "isotropic additive"])
        ('isotropic additive', 2)
        >>> pooled_kind(["isotropic additive", "undecided"])
        ('undecided', 0)
    """
    decided: tuple[Verdict, ...] = ("isotropic additive", "signal-proportional")
    for kind in decided:
        if 2 * kinds.count(kind) > len(kinds):
            return kind, kinds.count(kind)
    return "undecided", 0
