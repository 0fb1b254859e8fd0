"""Designs: which changes each arm holds, so that every effect uses every arm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spectrain.core import InputError

PLACKETT_BURMAN = {
    12: "++-+++---+-",
    20: "++--++++-+-+----++-",
    24: "+++++-+-++--++--+-+----",
}
"""First rows of the cyclic designs whose size is no power of two (Plackett & Burman 1946)."""


def screening(changes: int) -> NDArray[np.int8]:
    """A two-level orthogonal array in the fewest arms: every change is in half of them.

    Columns are orthogonal, so that the effect of a change is the mean of the arms with it less that
    of the arms without, and each uses all arms. Row 0 is the base. Where the number of arms is a
    power of two and twice that of the changes or more, no effect is mixed with interactions of two
    others; else it is, so that the findings of the screening have to be verified.

    Args:
        changes: number of columns, from 1 to 31.

    Raises:
        InputError: there are none, or more than 31.

    Source:
        Plackett & Burman 1946; Hadamard matrices of order 2ᵏ by Sylvester's construction.

    Example:
        >>> design = screening(5)
        >>> design.shape, design[0].tolist(), design.mean(axis=0).tolist()
        ((8, 5), [0, 0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5, 0.5])
    """
    if not 1 <= changes <= 31:
        raise InputError(f"{changes} changes", remedy="screen 1 to 31 at a time")
    size = next(n for n in (2, 4, 8, 12, 16, 20, 24, 32) if n > changes)
    held = _signs(size)[:, _columns(size)[:changes]] > 0
    return (held ^ held[0]).astype(np.int8)


def _columns(size: int) -> list[int]:
    """Columns of a Hadamard matrix in the order in which they are given to changes.

    In Sylvester's construction the product of columns i and j is column i XOR j: those whose number
    has an odd sum of bits are no product of two others of the kind.
    """
    if not math.log2(size).is_integer():
        return list(range(1, size))
    return sorted(range(1, size), key=lambda j: (j.bit_count() % 2 == 0, j.bit_count(), j))


def _signs(size: int) -> NDArray[np.int8]:
    """A Hadamard matrix whose first column is 1."""
    if math.log2(size).is_integer():
        from scipy.linalg import hadamard

        return np.asarray(hadamard(size), dtype=np.int8)
    first = np.array([1 if sign == "+" else -1 for sign in PLACKETT_BURMAN[size]], dtype=np.int8)
    rows = [np.roll(first, shift) for shift in range(size - 1)]
    body = np.vstack([*rows, -np.ones(size - 1, np.int8)])
    return np.hstack([np.ones((size, 1), np.int8), body])
