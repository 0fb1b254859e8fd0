"""Timing of several ways to do one thing, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, process_time

import numpy as np

Times = dict[str, list[tuple[float, float]]]
"""By name, one (processor seconds, seconds by the clock) a round."""


def in_turns(
    calls: Mapping[str, Callable[[], object]], rounds: int, rng: np.random.Generator
) -> Times:
    """Every call once a round, in a fresh random order, after one round that does not count."""
    times: Times = {name: [] for name in calls}
    names = list(calls)
    for number in range(rounds + 1):
        for index in rng.permutation(len(names)):
            start = perf_counter(), process_time()
            calls[names[index]]()
            elapsed = process_time() - start[1], perf_counter() - start[0]
            if number:
                times[names[index]].append(elapsed)
    return times


def ratio(times: Times, slow: str, fast: str) -> dict[str, float]:
    """How many times faster ``fast`` is, round by round: median, least, most; by the clock too."""
    pairs = list(zip(times[slow], times[fast], strict=True))
    processor = [a[0] / b[0] for a, b in pairs]
    return {
        "median": median(processor),
        "least": min(processor),
        "most": max(processor),
        "clock": median(a[1] / b[1] for a, b in pairs),
    }


def summed(times: list[tuple[int, Times]]) -> Times:
    """Times of several parts, each done ``count`` times, as one."""
    whole: Times = {}
    for count, part in times:
        for name, rows in part.items():
            old = whole.setdefault(name, [(0.0, 0.0)] * len(rows))
            whole[name] = [
                (a[0] + count * b[0], a[1] + count * b[1]) for a, b in zip(old, rows, strict=True)
            ]
    return whole
