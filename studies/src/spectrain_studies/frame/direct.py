"""A criterion and its judgement in one call, for a part that is judged on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectrain.noise.estimate import Estimate
from spectrain_studies.frame.criteria import Above, Below, Within
from spectrain_studies.frame.judgement import Judgement
from spectrain_studies.frame.measured import Measured


def above(
    measured: Estimate | float,
    limit: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """The judgement of :class:`Above` on a statistic.

    Example:
        >>> str(above(0.9, 1.0).verdict)
        'fails'
    """
    return Above(limit).judge(Measured(measured, seeds, note, details or {}))


def below(
    measured: Estimate | float,
    limit: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """The judgement of :class:`Below` on a statistic."""
    return Below(limit).judge(Measured(measured, seeds, note, details or {}))


def within(
    measured: Estimate | float,
    low: float,
    high: float,
    *,
    seeds: int | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Judgement:
    """The judgement of :class:`Within` on a statistic."""
    return Within(low, high).judge(Measured(measured, seeds, note, details or {}))
