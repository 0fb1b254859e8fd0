"""What chance gives: how often a criterion refutes a true claim, or passes a false one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any

import numpy as np
import torch

from spectrain.core.student import t_quantile
from spectrain.rmt.law import Array, numpy_generator
from spectrain_studies.frame.conjunction import AllOf, OnEvery
from spectrain_studies.frame.criteria import (
    Above,
    Below,
    Criterion,
    Differs,
    Simple,
    Skill,
    Within,
)
from spectrain_studies.frame.judgement import Verdict
from spectrain_studies.frame.margins import Negative, Positive
from spectrain_studies.frame.statistics import LEVEL
from spectrain_studies.frame.study import Claim

WORST = 0.1
"""A criterion errs if a true claim fails, or a false one holds, more often than that."""
REPETITIONS = 400
NARROW = 1e-3
"""Noise of one seed over the distance between two limits, where chance errs most."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How often chance changes a verdict where the truth lies exactly at the limit.

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

    A claim of several parts is true where each part is just true, and false where one part is just
    false and the others hold beyond doubt.

    Args:
        criterion: the criterion.
        seeds: independent repetitions behind each mean.
        members: of the family of an :class:`OnEvery`.
        level: coverage of the intervals.

    Example:
        >>> from spectrain_studies.frame.criteria import Above
        >>> errors = chance(Above(0.0), seeds=5)
        >>> errors.sound, 0 < errors.false_fail < 0.06
        (True, True)
    """
    leaves = _leaves(criterion, members)
    parts = len(leaves)
    pairs = [_rates(_canonical(leaf), seeds, parts, level) for leaf in leaves]
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


def _canonical(leaf: Simple) -> Simple:
    """A criterion with the same rates: limits may be shifted and scaled, as the noise is."""
    match leaf:
        case Differs():
            return Differs(1.0)
        case Negative():
            return Negative(1.0)
        case Positive():
            return Positive(1.0)
        case Skill():
            return leaf
        case Within(low, high) if high == inf:
            return Above(0.0)
        case Within(low, high) if low == -inf:
            return Below(0.0)
        case Within(low, high) if low < high:
            return Within(0.0, 1.0)
        case _:
            return leaf


@cache
def _rates(leaf: Simple, seeds: int, parts: int, level: float) -> tuple[float, float]:
    true, false = leaf.edges()
    ends = sorted({*true, *false})
    noise = NARROW * (ends[-1] - ends[0] if len(ends) > 1 else 1.0)

    def rate(truth: float, verdict: Verdict) -> float:
        own = _intervals(truth, noise, seeds, level)
        wide = _intervals(truth, noise, seeds, 1 - (1 - level) / parts)
        judged = [leaf.verdict(*ends) for ends in own]
        if verdict is Verdict.FAILS:  # only by the wider interval, see Simple.judge
            kept = [
                v is verdict and leaf.verdict(*w) is verdict
                for v, w in zip(judged, wide, strict=True)
            ]
            return sum(kept) / len(kept)
        return sum(v is verdict for v in judged) / len(judged)

    return (
        max((rate(end, Verdict.FAILS) for end in true), default=0.0),
        max((rate(end, Verdict.HOLDS) for end in false), default=0.0),
    )


@cache
def _intervals(
    truth: float, noise: float, seeds: int, level: float
) -> tuple[tuple[float, float], ...]:
    means, deviations = _samples(seeds)
    centre = truth + noise * means
    reach = t_quantile(level, seeds - 1) * noise * deviations / seeds**0.5
    return tuple(zip((centre - reach).tolist(), (centre + reach).tolist(), strict=True))


@cache
def _samples(seeds: int) -> tuple[Array, Array]:
    """Means and standard deviations of normal samples, which are independent of one another."""
    generator = numpy_generator(torch.Generator().manual_seed(0))
    means = generator.standard_normal(REPETITIONS) / seeds**0.5
    return means, np.sqrt(generator.chisquare(seeds - 1, REPETITIONS) / (seeds - 1))


def chance_table(claims: Sequence[Claim], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Error rates by kind of criterion, repetitions and parts, as a table of a page.

    Args:
        claims: those whose criteria are data.
        rows: entries of the ledgers by claim, which hold repetitions and parts.
    """
    kinds: dict[tuple[str, int, int], list[Claim]] = {}
    for claim in claims:
        if isinstance(claim.criterion, Criterion):
            row = rows.get(claim.id, {})
            leaves = _leaves(claim.criterion, members_of(row))
            names = " and ".join(sorted({type(leaf).__name__ for leaf in leaves}))
            kinds.setdefault((names, row.get("seeds") or 5, len(leaves)), []).append(claim)
    lines = [
        "| criterion | repetitions | parts | claims | true, yet fails | false, yet holds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (names, seeds, parts), group in sorted(kinds.items(), key=lambda item: item[0]):
        assert isinstance(group[0].criterion, Criterion)
        row = rows.get(group[0].id, {})
        if seeds < 2:
            lines.append(f"| {names} | {seeds} | {parts} | {len(group)} | no sampling error | |")
            continue
        errors = chance(group[0].criterion, seeds=seeds, members=members_of(row))
        rates = f"{errors.false_fail:.1%} | {errors.false_pass:.1%}"
        lines.append(f"| {names} | {seeds} | {parts} | {len(group)} | {rates} |")
    return "\n".join(lines) + "\n"
