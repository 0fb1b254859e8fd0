"""The schedule keeps its budget, whatever steps and samples cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.monitor.schedule import Schedule


def run(schedule: Schedule, step_seconds: list[float], sample_seconds: float) -> list[int]:
    sampled = []
    for step, seconds in enumerate(step_seconds):
        samples = schedule.samples(step)
        schedule.account(
            training_seconds=seconds,
            monitor_seconds=sample_seconds if samples else 0.0,
            sampled=samples,
        )
        if samples:
            sampled.append(step)
    return sampled


@given(
    steps=st.lists(st.floats(0.01, 1.0), min_size=20, max_size=400),
    cost=st.floats(0.001, 0.5),
    overhead=st.floats(0.005, 0.5),
    dense=st.integers(0, 5),
)
def test_the_budget_is_kept_once_the_dense_start_is_paid(
    steps: list[float], cost: float, overhead: float, dense: int
) -> None:
    schedule = Schedule(dense=dense, overhead=overhead)
    run(schedule, steps, cost)
    allowed = max(overhead * sum(steps), dense * cost) + (cost if dense == 0 else 0.0)
    assert schedule.monitor_seconds <= allowed * (1 + 1e-9)


def test_the_budget_is_used() -> None:
    schedule = Schedule(dense=2, overhead=0.1)
    sampled = run(schedule, [1.0] * 200, 0.5)
    assert sampled[:2] == [0, 1]
    assert 0.09 <= (schedule.achieved or 0.0) <= 0.1


def test_every_counts_absolute_steps_and_ignores_the_budget() -> None:
    assert run(Schedule(dense=2, every=5), [1.0] * 12, 9.0) == [0, 1, 5, 10]


def test_nothing_timed_is_no_overhead() -> None:
    assert Schedule().achieved is None


@pytest.mark.parametrize("steps", [0, 1])
def test_the_first_sample_without_dense_start_is_free(steps: int) -> None:
    assert Schedule(dense=0).samples(steps)
