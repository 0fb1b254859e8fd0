"""What chance gives: how often a criterion refutes what is true, or passes what is false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from spectrain.core.student import t_quantile
from spectrain.noise.estimate import Estimate
from spectrain_studies.frame.conjunction import AllOf, OnEvery
from spectrain_studies.frame.criteria import Criterion, Simple
from spectrain_studies.frame.judgement import Verdict
from spectrain_studies.frame.statistics import LEVEL

WORST = 0.1
"""A criterion errs if a true claim fails, or a false one holds, more often than that."""
REPETITIONS = 400
NARROW = 1e-3
"""Noise of one seed over the distance between two limits: there chance errs most."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How often chance turns a verdict, where the truth lies at the very limit.

    Attributes:
        false_fail: share of repetitions in which a true claim fails.
        false_pass: share in which a false one holds.
    """

    false_fail: float
    false_pass: float

    @property
    def sound(self) -> bool:
        """Whether both stay below :data:`WORST`."""
        return max(self.false_fail, self.false_pass) <= WORST


def chance(criterion: Criterion, *, seeds: int, members: int = 1, level: float = LEVEL) -> Chance:
    """Error rates of a criterion on means of normal numbers with their t intervals.

    A claim of parts is true where every part just is, and false where one part just is not and the
    others hold beyond doubt.

    Args:
        criterion: the criterion.
        seeds: independent repetitions behind each mean.
        members: of the family of an :class:`OnEvery`.
        level: coverage of the intervals.

    Example:
        >>> from spectrain_studies.frame.criteria import Above
        >>> told = chance(Above(0.0), seeds=5)
        >>> told.sound, 0 < told.false_fail < 0.06
        (True, True)
    """
    leaves = _leaves(criterion, members)
    parts = len(leaves)
    pairs = [_rates(leaf, seeds, parts, level) for leaf in leaves]
    kept = 1.0
    for false_fail, _ in pairs:
        kept *= 1 - false_fail
    return Chance(1 - kept, max((false_pass for _, false_pass in pairs), default=0.0))


def members_of(row: Mapping[str, Any]) -> int:
    """How large the family of a claim was in a run, out of its entry in a ledger."""
    parts = [part for part in row.get("details", {}).values() if isinstance(part, Mapping)]
    return max(sum("verdict" in part for part in parts), 1)


def _leaves(criterion: Criterion, members: int) -> list[Simple]:
    match criterion:
        case AllOf(parts):
            return [leaf for part in parts.values() for leaf in _leaves(part, members)]
        case OnEvery(_, one):
            return members * _leaves(one, members)
        case Simple():
            return [criterion]
        case _:
            raise TypeError(f"no way to plant a truth for {type(criterion).__name__}")


@cache
def _rates(leaf: Simple, seeds: int, parts: int, level: float) -> tuple[float, float]:
    true, false = leaf.edges()
    ends = sorted({*true, *false})
    noise = NARROW * (ends[-1] - ends[0] if len(ends) > 1 else 1.0)

    def rate(truth: float, verdict: Verdict) -> float:
        drawn = _means(truth, noise, seeds, level)
        return sum(leaf.judge(one, parts=parts).verdict is verdict for one in drawn) / len(drawn)

    return (
        max((rate(end, Verdict.FAILS) for end in true), default=0.0),
        max((rate(end, Verdict.HOLDS) for end in false), default=0.0),
    )


@cache
def _means(truth: float, noise: float, seeds: int, level: float) -> tuple[Estimate, ...]:
    generator = torch.Generator().manual_seed(0)
    drawn = truth + noise * torch.randn(
        REPETITIONS, seeds, generator=generator, dtype=torch.float64
    )
    reach = t_quantile(level, seeds - 1)
    pairs = zip(drawn.mean(1).tolist(), (drawn.std(1) / seeds**0.5).tolist(), strict=True)
    return tuple(Estimate(m, e, m - reach * e, m + reach * e, seeds, level) for m, e in pairs)
