"""What a sampled step is to read: which blocks, by how expensive it is to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Cadence(StrEnum):
    """How often a probe reads: cheap quantities often, expensive or slowly changing ones rarely.

    ``SELDOM`` goes along with every third round of ``SOMETIMES``: its probes find what those read.
    """

    OFTEN = "often"
    SOMETIMES = "sometimes"
    SELDOM = "seldom"
    RARELY = "rarely"


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """One sampled step.

    Attributes:
        step: which.
        turns: names of the blocks that are read at each cadence; none where it is not due.

    Example:
        >>> plan = SamplePlan(7, {Cadence.OFTEN: frozenset({"w"}), Cadence.RARELY: frozenset()})
        >>> plan.due(Cadence.OFTEN), plan.due(Cadence.SOMETIMES), plan.due(Cadence.RARELY)
        (True, False, False)
    """

    step: int
    turns: Mapping[Cadence, frozenset[str]]

    def turn(self, cadence: Cadence) -> frozenset[str]:
        """Names of the blocks that a probe of this cadence reads."""
        return self.turns.get(cadence, frozenset())

    def due(self, cadence: Cadence) -> bool:
        """Whether probes of this cadence read at all."""
        return bool(self.turn(cadence))
