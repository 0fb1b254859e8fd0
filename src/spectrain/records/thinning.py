"""The arithmetic of thinning: which samples a level keeps, and which parts are merged.

Level L keeps of each series (block, source, measure) the samples 0, 2ᴸ, 2·2ᴸ, …, counted within an
attempt. The rule depends on nothing but the sample's number, so a thinning that was cut short can
be repeated, and rows that arrive later are thinned by the same rule before they are written.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import polars as pl

from spectrain.records.layout import Part
from spectrain.records.schema import SAMPLE

NOTHING = 99
"""The level that keeps no sample at all."""


def stride(level: int) -> int:
    """One sample in this many is kept; 0 where none is.

    Example:
        >>> [stride(level) for level in (0, 1, 5, NOTHING)]
        [1, 2, 32, 0]
    """
    return 0 if level == NOTHING else 2**level


def kept(level: int) -> pl.Expr:
    """The rows that the level keeps."""
    return pl.lit(False) if level == NOTHING else pl.col(SAMPLE) % stride(level) == 0


def neighbours(sizes: Mapping[Part, int], *, limit: int) -> list[list[Part]]:
    """Runs of consecutive parts of an attempt, of at most ``limit`` bytes unless they are alone."""
    runs: list[list[Part]] = []
    total = 0
    for part, size in sizes.items():
        before = runs[-1][-1] if runs else None
        follows = before and (before.rank, before.attempt, before.last + 1) == (
            part.rank,
            part.attempt,
            part.first,
        )
        if follows and total + size <= limit:
            runs[-1].append(part)
            total += size
        else:
            runs.append([part])
            total = size
    return runs


class Samples:
    """Numbers the samples of each series: 0 at the first step recorded, 1 at the second.

    Example:
        >>> samples = Samples()
        >>> samples.number([("w", 10), ("b", 10), ("w", 10), ("w", 20), ("b", 30)])
        [0, 0, 0, 1, 1]
        >>> samples.number([("w", 30)])
        [2]
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[int, int]] = {}

    def number(self, entries: Iterable[tuple[Hashable, int]]) -> list[int]:
        """For each (series, step) the number of its sample."""
        last, numbers = self._last, []
        for series, step in entries:
            seen, number = last.get(series, (None, -1))
            if step != seen:
                number += 1
                last[series] = (step, number)
            numbers.append(number)
        return numbers
