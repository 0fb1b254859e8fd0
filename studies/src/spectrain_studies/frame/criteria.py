"""Criteria as data: when a claim holds and when it fails, fixed before the run.

A criterion prints its own prose and judges what was measured: the claim holds if the whole
confidence interval lies where the criterion wants it, fails if none of it does, and is undecided in
between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, isnan

from spectrain.noise.estimate import Estimate
from spectrain_studies.frame.judgement import Judgement, Verdict, undecided, untestable
from spectrain_studies.frame.measured import Found, Measured, Untestable, at_level


class Criterion(ABC):
    """When a claim holds. A new one is a frozen dataclass with these methods."""

    @abstractmethod
    def __str__(self) -> str:
        """The criterion in words."""

    @abstractmethod
    def judge(self, found: Found, *, parts: int = 1) -> Judgement:
        """The verdict on what was measured.

        Args:
            found: what the judge of the claim returned.
            parts: of a claim that fails as soon as one of them does. Each refutes it only by an
                interval at level 1 − (1 − level)/parts (Bonferroni), so that many parts do not
                refute a true claim by chance.
        """


class Simple(Criterion):
    """A criterion on one statistic, which looks only at its interval."""

    @abstractmethod
    def verdict(self, low: float, high: float) -> Verdict:
        """The verdict on an interval."""

    @abstractmethod
    def shortfall(self, value: float) -> float:
        """How far a value is from where the claim holds, negative inside."""

    @abstractmethod
    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """True values at which the claim only just holds, and at which it only just fails.

        There chance errs most: :mod:`spectrain_studies.frame.chance` computes how often.
        """

    def judge(self, found: Found, *, parts: int = 1) -> Judgement:
        """The verdict on an estimate."""
        match found:
            case Untestable(why):
                return untestable(why)
            case Measured():
                pass
            case Estimate() | float() | int():
                found = Measured(found)
            case _:
                raise TypeError(f"{type(self).__name__} judges one statistic, not {type(found)}")
        estimate = _estimate(found.value)
        seeds = found.seeds
        if seeds is None and isinstance(found.value, Estimate):
            seeds = estimate.replicas
        value, low, high = estimate.value, estimate.low, estimate.high
        if value is None or low is None or high is None:
            why = estimate.reason or "no interval"
            return undecided(
                f"{why}. {found.note}".removesuffix(". "), seeds=seeds, details=found.details
            )
        if isnan(value):
            note = found.note or "the statistic is not a number"
            return undecided(note, seeds=seeds, details=found.details)
        verdict = self.verdict(low, high)
        if verdict is Verdict.FAILS and parts > 1:
            wide = at_level(estimate, 1 - (1 - estimate.level) / parts)
            verdict = self.verdict(wide.low or 0.0, wide.high or 0.0)
        note = found.note
        if found.unsettled:
            verdict, note = Verdict.UNDECIDED, ". ".join(filter(None, (found.unsettled, note)))
        return Judgement(verdict, value, estimate.error, low, high, seeds, note, found.details)


def _estimate(value: Estimate | float) -> Estimate:
    if isinstance(value, Estimate):
        return value
    number = float(value)
    return Estimate(number, None, number, number, 1)


@dataclass(frozen=True, slots=True)
class Within(Simple):
    """The statistic lies between two limits, which belong to the inside.

    Example:
        >>> from spectrain.noise.estimate import symmetric
        >>> criterion = Within(0.9, 1.1)
        >>> str(criterion), str(criterion.judge(symmetric(1.0, 0.01, replicas=10)).verdict)
        ('between 0.9 and 1.1', 'holds')
    """

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        return f"between {self.low:g} and {self.high:g}{unit_of(self.unit)}"

    def verdict(self, low: float, high: float) -> Verdict:
        """By where the interval lies."""
        if self.low <= low and high <= self.high:
            return Verdict.HOLDS
        return Verdict.FAILS if high < self.low or self.high < low else Verdict.UNDECIDED

    def shortfall(self, value: float) -> float:
        """Distance to the nearer limit."""
        return max(self.low - value, value - self.high)

    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The limits, on either side."""
        ends = tuple(end for end in (self.low, self.high) if abs(end) < inf)
        return ends, ends


class Above(Within):
    """The statistic lies above a limit.

    Example:
        >>> str(Above(0.02, "nats")), str(Above(0.02, "nats").judge(0.01).verdict)
        ('above 0.02 nats', 'fails')
    """

    __slots__ = ()

    def __init__(self, limit: float, unit: str = "") -> None:
        super().__init__(limit, inf, unit)

    def __str__(self) -> str:
        return f"above {self.low:g}{unit_of(self.unit)}"


class Below(Within):
    """The statistic lies below a limit.

    Example:
        >>> str(Below(-0.5)), str(Below(-0.5).judge(-0.7).verdict)
        ('below -0.5', 'holds')
    """

    __slots__ = ()

    def __init__(self, limit: float, unit: str = "") -> None:
        super().__init__(-inf, limit, unit)

    def __str__(self) -> str:
        return f"below {self.high:g}{unit_of(self.unit)}"


class Near(Within):
    """The statistic lies within a tolerance of a predicted value.

    Example:
        >>> str(Near(0.5, 0.05)), str(Near(0.5, 0.05).judge(0.52).verdict)
        ('0.5 ± 0.05', 'holds')
    """

    __slots__ = ()

    def __init__(self, value: float, tolerance: float, unit: str = "") -> None:
        super().__init__(value - tolerance, value + tolerance, unit)

    def __str__(self) -> str:
        middle, reach = (self.low + self.high) / 2, (self.high - self.low) / 2
        return f"{middle:g} ± {reach:g}{unit_of(self.unit)}"


@dataclass(frozen=True, slots=True)
class Differs(Simple):
    """The statistic is not 0. It fails only where it is shown to be as good as 0.

    Attributes:
        equal: size below which a difference does not count.
        unit: of it.

    Example:
        >>> str(Differs(equal=0.01, unit="nats"))
        'other than 0; fails within ±0.01 nats'
        >>> [str(Differs(equal=0.01).judge(x).verdict) for x in (0.2, 0.0)]
        ['holds', 'fails']
    """

    equal: float
    unit: str = ""

    def __str__(self) -> str:
        return f"other than 0; fails within ±{self.equal:g}{unit_of(self.unit)}"

    def verdict(self, low: float, high: float) -> Verdict:
        """By whether the interval holds 0, or lies close to it."""
        if low > 0 or high < 0:
            return Verdict.HOLDS
        return Verdict.FAILS if -self.equal < low and high < self.equal else Verdict.UNDECIDED

    def shortfall(self, value: float) -> float:
        """The closer to 0, the worse."""
        return -abs(value)

    def edges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """A difference of the size that counts, and none."""
        return (-self.equal, self.equal), (0.0,)


class Always(Within):
    """A universal statement, judged by the share of its violations, not by a mean of minima.

    The judge measures the share: :func:`spectrain_studies.frame.statistics.violations`.

    Example:
        >>> str(Always()), str(Always().judge(0.0).verdict)
        ('violated in at most 5 % of cases', 'holds')
    """

    __slots__ = ()

    def __init__(self, but: float = 0.05) -> None:
        super().__init__(-inf, but)

    def __str__(self) -> str:
        return f"violated in at most {100 * self.high:g} % of cases"


class Skill(Within):
    """A rule predicts better than the best constant answer, on cases of both kinds.

    The judge measures the excess: :func:`spectrain_studies.frame.statistics.skill`.

    Example:
        >>> str(Skill()), str(Skill().judge(-0.014).verdict)
        ('right more often than the better constant answer', 'fails')
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0.0, inf)

    def __str__(self) -> str:
        return "right more often than the better constant answer"

    def verdict(self, low: float, high: float) -> Verdict:
        """To be as good as a constant is to have no skill."""
        return Verdict.HOLDS if low > 0 else Verdict.FAILS if high <= 0 else Verdict.UNDECIDED


def unit_of(unit: str) -> str:
    """A unit as it follows a number; nothing for none."""
    return f" {unit}" if unit else ""
