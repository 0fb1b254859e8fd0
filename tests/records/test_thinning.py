"""Which samples a level keeps, and which parts it merges."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.records.layout import Part
from spectrain.records.thinning import NOTHING, Samples, kept, neighbours, stride

steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40)


@given(steps, st.integers(0, 40))
def test_samples_are_numbered_within_their_series(
    increments: list[tuple[str, int]], cut: int
) -> None:
    now, entries = 0, []
    for series, increment in increments:
        now += increment
        entries.append((series, now))
    seen: dict[str, list[int]] = defaultdict(list)
    expected = []
    for series, step in entries:
        if step not in seen[series]:
            seen[series].append(step)
        expected.append(seen[series].index(step))
    samples = Samples()
    assert samples.number(entries[:cut]) + samples.number(entries[cut:]) == expected


@pytest.mark.parametrize("level", [0, 1, 2, 5, 40, NOTHING])
def test_deeper_levels_keep_subsets(level: int) -> None:
    numbers = pl.DataFrame({"sample": range(100)})
    rows = numbers.filter(kept(level))["sample"].to_list()
    assert rows == ([] if level == NOTHING else list(range(0, 100, stride(level))))
    assert set(
        numbers.filter(kept(level + 1) if level != NOTHING else kept(level))["sample"]
    ) <= set(rows)


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2), st.integers(1, 50)), max_size=20),
    st.integers(1, 60),
)
def test_neighbours_are_consecutive_and_within_the_limit(
    jumps: list[tuple[int, int, int]], limit: int
) -> None:
    sizes, number = {}, 0
    for attempt, jump, size in sorted(jumps):
        number += 1 + jump
        sizes[Part(0, attempt, number, number, 0, "00000000")] = size
    runs = neighbours(sizes, limit=limit)
    assert [part for run in runs for part in run] == list(sizes)
    for run in runs:
        assert len(run) == 1 or sum(sizes[part] for part in run) <= limit
        assert {part.attempt for part in run} == {run[0].attempt}
        assert [part.first for part in run] == list(range(run[0].first, run[0].first + len(run)))
    for before, after in pairwise(runs):
        apart = (before[-1].attempt, before[-1].last + 1) != (after[0].attempt, after[0].first)
        assert apart or sum(sizes[part] for part in before) + sizes[after[0]] > limit
