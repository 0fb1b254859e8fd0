"""What a hardship is, what it leaves, and the list of all."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Findings:
    """What one hardship found: how often each promise was put to the test, and how often it held.

    Attributes:
        held: promise ↦ [times that it held, times that it was tested].
        broken: the first few cases that did not hold, in words.
        figures: anything else that was measured.
    """

    held: dict[str, list[int]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def check(self, promise: str, holds: bool, case: object = "") -> None:
        """Put a promise to the test once."""
        count = self.held.setdefault(promise, [0, 0])
        count[0] += holds
        count[1] += 1
        if not holds and len(self.broken) < 10:
            self.broken.append(f"{promise}: {case}")

    def count(self, name: str, number: float) -> None:
        """Add to a figure."""
        self.figures[name] = self.figures.get(name, 0) + number


@dataclass(frozen=True)
class Trouble:
    """Where a hardship happens, how often at this scale, and the numbers that chance draws."""

    folder: Path
    scale: float
    chance: random.Random
    found: Findings

    def times(self, full: int) -> int:
        """``full`` repetitions at scale 1, at least two."""
        return max(2, round(full * self.scale))


Hardship = Callable[[Trouble], None]
HARDSHIPS: dict[str, Hardship] = {}
"""The hardships by name, in the order in which they are suffered."""


def hardship(name: str) -> Callable[[Hardship], Hardship]:
    """Register one."""

    def register(function: Hardship) -> Hardship:
        HARDSHIPS[name] = function
        return function

    return register


def verdict(results: Mapping[str, Findings]) -> bool:
    """Whether every promise held every time, and each hardship tested one."""
    counts = [count for found in results.values() for count in found.held.values()]
    return all(found.held for found in results.values()) and all(a == b for a, b in counts)
