"""Series of numbers packed so that a page can hold many: 16 bits a number, in base 64."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEVELS = 65534
"""Steps between the ends of a series; 65,535 stands for no number."""

WIDE = 50.0
"""Ratio of the ends of a positive series above which it is packed by its logarithm."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One series.

    Attributes:
        low: its smallest number, or the logarithm of it.
        high: its largest number, likewise.
        log: whether natural logarithms were packed.
        levels: little-endian 16-bit integers in base 64, 0 for ``low`` and 65,534 for ``high``.
    """

    low: float
    high: float
    log: bool
    levels: str


def pack(values: Sequence[float | None] | Float[np.ndarray, " n"]) -> Packed:
    """Pack numbers, missing ones among them.

    The error is at most (high − low)/131,068: relative to each number where logarithms are packed,
    to the range where not.

    Example:
        >>> pack([0.0, 1.0, None])  # levels 0, 65534 and 65535
        Packed(low=0.0, high=1.0, log=False, levels='AAD+////')
    """
    numbers = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    known = numbers[~np.isnan(numbers)]
    log = bool(len(known) and known.min() > 0 and known.max() > WIDE * known.min())
    if log:
        numbers, known = np.log(numbers), np.log(known)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    span = high / 2 - low / 2  # halves, for the range of float64 is no float64
    share = (numbers / 2 - low / 2) / span if span > 0 else np.where(np.isnan(numbers), np.nan, 0.0)
    levels = np.where(np.isnan(share), LEVELS + 1, np.nan_to_num(share) * LEVELS).round()
    return Packed(low, high, log, b64encode(levels.astype("<u2").tobytes()).decode())
