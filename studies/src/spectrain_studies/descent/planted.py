"""Worlds in which the truth of a claim is known: numbers of every case, made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

import torch

from spectrain_studies.frame import Experiment, Planted, Within
from spectrain_studies.frame.planted import World
from spectrain_studies.frame.planted import planted as worlds

NOISE = 1e-3
"""Relative spread of made-up numbers over seeds; means of two seeds must still decide."""

Told = Callable[[Any, float], dict[str, Any]]
"""The outcome of a case, out of the case and a factor e^noise."""
Made = Callable[[Any, float], dict[str, Any]]
"""An outcome of a case in which what is measured has the given value."""


def planted(needs: Sequence[Experiment[Any]], true: Told, false: Told) -> Planted:
    """Both worlds over the cases of the experiments that a claim reads."""
    return worlds(needs, _lucky(true), _lucky(false))


def _lucky(told: Told) -> World:
    """Outcomes out of the case and a factor that is drawn for it."""

    def world(case: Any, generator: torch.Generator) -> dict[str, Any]:
        drawn = NOISE * torch.randn((), generator=generator, dtype=torch.float64)
        return told(case, float(drawn.exp()))

    return world


def ends(criterion: Within) -> tuple[float, float]:
    """A number that meets a criterion beyond doubt, and one that does not.

    Example:
        >>> from spectrain_studies.frame import Above, Near
        >>> ends(Above(0.5)), ends(Near(1.0, 0.1))
        ((1.5, -0.5), (1.0, 2.1))
    """
    low, high = criterion.low, criterion.high
    if high == inf:
        return low + 1, low - 1
    return (high - 1 if low == -inf else (low + high) / 2), high + 1


def named(name: str) -> Made:
    """An outcome that is a single number."""
    return lambda case, value: {name: value}


def powers(need: Experiment[Any], size: str, criterion: Within, made: Made) -> Planted:
    """A number that grows as a power of a field of the cases."""

    def grows(exponent: float) -> Told:
        return lambda case, noise: made(case, noise * getattr(case, size) ** exponent)

    true, false = ends(criterion)
    return planted([need], grows(true), grows(false))


def levels(need: Experiment[Any], names: Iterable[str], criterion: Within) -> Planted:
    """Numbers that are the same in every case."""
    told = tuple(names)

    def at(level: float) -> Told:
        return lambda case, noise: dict.fromkeys(told, noise * level)

    true, false = ends(criterion)
    return planted([need], at(true), at(false))
