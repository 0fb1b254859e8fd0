"""A search on a geometric grid that goes on until its best point is no end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Search:
    """What was tried.

    Attributes:
        rates: ascending.
        losses: of each; infinite where training diverged.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def best(self) -> float:
        """The rate of the smallest loss."""
        return self.rates[self.losses.index(min(self.losses))]

    @property
    def inner(self) -> bool:
        """Whether it is no end of the grid."""
        return self.best not in (self.rates[0], self.rates[-1])


def search_rate(
    loss: Callable[[float], float], start: float, *, factor: float, moves: int
) -> Search:
    """Try start/factor, start and start·factor, then go on beyond an end while that is the best.

    Args:
        loss: of a rate; NaN counts as infinite.
        start: the first rate.
        factor: ratio of neighbours, > 1.
        moves: how many points may be added.

    Example:
        >>> found = search_rate(lambda rate: (rate - 8) ** 2, 1.0, factor=2.0, moves=5)
        >>> found.rates, found.best, found.inner
        ((0.5, 1.0, 2.0, 4.0, 8.0, 16.0), 8.0, True)
    """

    def sound(rate: float) -> float:
        value = loss(rate)
        return value if value == value else inf

    tried = {rate: sound(rate) for rate in (start / factor, start, start * factor)}
    for _ in range(moves):
        rates = sorted(tried)
        best = min(tried, key=tried.__getitem__)
        if best not in (rates[0], rates[-1]):
            break
        rate = best / factor if best == rates[0] else best * factor
        tried[rate] = sound(rate)
    rates = sorted(tried)
    return Search(tuple(rates), tuple(tried[rate] for rate in rates))
