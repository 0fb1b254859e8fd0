"""One-sided criteria with a least size that counts, so that "no effect" can be a result."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain_studies.frame.criteria import Simple, unit_of
from spectrain_studies.frame.judgement import Verdict


@dataclass(frozen=True, slots=True)
class Positive(Simple):
    """The statistic is above 0. It fails where it is shown to be less than what counts.

    Attributes:
        counts: the least size that would count.
        unit: of it.

    Example:
        >>> str(Positive(counts=0.01, unit="nats"))
        'above 0; fails below 0.01 nats'
        >>> [str(Positive(counts=0.01).judge(x).verdict) for x in (0.2, 0.0, -0.2)]
        ['holds', 'fails', 'fails']
    """

    counts: float
    unit: str = ""

    def __str__(self) -> str:
        return f"above 0; fails below {self.counts:g}{unit_of(self.unit)}"

    def verdict(self, low: float, high: float) -> Verdict:
        """By whether the interval is above 0, or below what counts."""
        if low > 0:
            return Verdict.HOLDS
        return Verdict.FAILS if high < self.counts else Verdict.UNDECIDED

    def shortfall(self, value: float) -> float:
        """Distance below 0."""
        return -value

    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What just counts, and nothing."""
        return (self.counts,), (0.0,)


@dataclass(frozen=True, slots=True)
class Negative(Positive):
    """The same of a statistic below 0.

    Example:
        >>> str(Negative(counts=0.01, unit="nats"))
        'below 0; fails above -0.01 nats'
        >>> [str(Negative(counts=0.01).judge(x).verdict) for x in (0.2, 0.0, -0.2)]
        ['fails', 'fails', 'holds']
    """

    def __str__(self) -> str:
        return f"below 0; fails above {-self.counts:g}{unit_of(self.unit)}"

    def verdict(self, low: float, high: float) -> Verdict:
        """That of :class:`Positive` on the interval with its sign turned."""
        return Positive(self.counts).verdict(-high, -low)

    def shortfall(self, value: float) -> float:
        """Distance above 0."""
        return value

    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What just counts, and nothing."""
        return (-self.counts,), (0.0,)
