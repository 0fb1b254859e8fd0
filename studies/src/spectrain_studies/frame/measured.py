"""What a judge hands to its criterion: an estimate with what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite
from typing import Any, TypeAlias

from spectrain.core.student import t_quantile
from spectrain.noise.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Measured:
    """A statistic, and what a reader of its verdict must know besides.

    Attributes:
        value: the estimate; a plain number has no sampling error, and is an interval of no width.
        seeds: independent repetitions behind it; the estimate's replicas if not given.
        note: in words.
        details: further numbers, by name.
        unsettled: why nothing may be concluded from the numbers, whatever they are: a best learning
            rate at the end of its grid, an equilibrium that is not reached. Empty where they count.
    """

    value: Estimate | float
    seeds: int | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    unsettled: str = ""


@dataclass(frozen=True, slots=True)
class Untestable:
    """No data could decide the claim, and why: a criterion, or what a judge finds.

    Example:
        >>> str(Untestable("the document does not define it"))
        'untestable: the document does not define it'
    """

    why: str

    def __str__(self) -> str:
        return f"untestable: {self.why}"


Single: TypeAlias = Estimate | float | Measured | Untestable
Found: TypeAlias = Single | Mapping[str, Any]
"""What a judge returns: a statistic, or for a criterion of parts a mapping of them by name."""


def unsettle(found: Found, why: str) -> Found:
    """The same numbers, from which nothing may be concluded.

    Args:
        found: what a judge returned; where it is a mapping, each of its parts.
        why: goes before what is said already.

    Example:
        >>> unsettle({"a": 1.0}, "too short")["a"].unsettled
        'too short'
    """
    match found:
        case Mapping():
            return {name: unsettle(part, why) for name, part in found.items()}
        case Measured():
            return replace(found, unsettled=". ".join(filter(None, (why, found.unsettled))))
        case Untestable():  # which may be due to too little of a run
            return Measured(float("nan"), note=why)
        case _:
            return Measured(found, unsettled=why)


def at_level(estimate: Estimate, level: float) -> Estimate:
    """The same estimate with an interval of another coverage, its arms scaled by Student's t.

    Example:
        >>> from spectrain.noise.estimate import symmetric
        >>> wide = at_level(symmetric(0.0, 1.0, replicas=10, level=0.9), 0.95)
        >>> round(wide.high, 3) == round(symmetric(0.0, 1.0, replicas=10, level=0.95).high, 3)
        True
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None or not (isfinite(low) and isfinite(high)):
        return estimate
    freedom = max(estimate.replicas - 1, 1)
    factor = _quantile(level, freedom) / _quantile(estimate.level, freedom)
    ends = value - factor * (value - low), value + factor * (high - value)
    return Estimate(value, estimate.error, *ends, estimate.replicas, level, estimate.reason)


_quantile = cache(t_quantile)
