"""The schedule keeps its budget, whatever steps and samples cost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.monitor import schedule as schedules
from spectrain.monitor.plan import Cadence
from spectrain.monitor.schedule import AIM, Schedule


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
    assert 0.9 * AIM * 0.1 <= (schedule.achieved or 0.0) <= AIM * 0.1


def test_slow_steps_after_a_sample_count_as_its_cost() -> None:
    schedule = Schedule(dense=0, overhead=0.1)
    slow = False
    for step in range(400):
        samples = schedule.samples(step)
        seconds = 1.5 if samples or slow else 1.0
        schedule.account(
            training_seconds=seconds, monitor_seconds=0.5 if samples else 0.0, sampled=samples
        )
        slow = samples
    assert schedule.hidden_seconds == pytest.approx(schedule.sampled_steps * 1.0, rel=0.15)
    spent = schedule.monitor_seconds + schedule.hidden_seconds
    assert 0.8 * AIM * 0.1 <= spent / schedule.training_seconds <= 0.1


def test_a_long_sample_is_divided_among_steps_and_every_block_has_its_turn() -> None:
    schedule = Schedule(dense=2, overhead=0.1)
    blocks, round_cost = 10, 5.0
    seen, costs = [], []
    for step in range(4000):
        samples = schedule.samples(step)
        share = 0.0
        if samples:
            span = schedule._turn(blocks)
            numbers = range(blocks)[span]
            share = len(numbers) / blocks
            seen += [(step, number) for number in numbers]
            costs.append(round_cost * share)
        schedule.account(training_seconds=1.0, monitor_seconds=round_cost * share, sampled=samples)
    assert costs[:2] == [round_cost, round_cost]
    assert max(costs[2:]) <= 2.5  # two steps, and one block more
    assert schedule.parts == 3
    within = schedule.round_steps
    assert within == pytest.approx(round_cost / (AIM * 0.1), abs=2)
    for number in range(blocks):
        steps = [step for step, other in seen if other == number and step > 400]
        gaps = [after - before for before, after in pairwise(steps)]
        assert len(gaps) > 20
        assert max(gaps) <= 1.1 * within


def test_every_counts_absolute_steps_and_ignores_the_budget() -> None:
    assert run(Schedule(dense=2, every=5), [1.0] * 12, 9.0) == [0, 1, 5, 10]


def test_nothing_timed_is_no_overhead() -> None:
    assert Schedule().achieved is None


@pytest.mark.parametrize("steps", [0, 1])
def test_the_first_sample_without_dense_start_is_free(steps: int) -> None:
    assert Schedule(dense=0).samples(steps)


UNTIMED = 1.5
"""What a sample costs in truth for each second that the monitor can time, at worst."""


def keeps_the_budget() -> None:
    """With what cannot be timed it stays below the whole, and more than half of it is used."""
    schedule = Schedule(dense=2, overhead=0.1)
    sampled = run(schedule, [1.0] * 1000, 0.5)
    assert 0.5 * 0.1 <= UNTIMED * 0.5 * len(sampled) / 1000 <= 0.1


def keeps_the_cadence() -> None:
    """What is rare is read in the first sample and each fourth, the rest in every one."""
    schedule = Schedule(dense=12, overhead=0.1)
    due = []
    for step in range(12):
        plan = schedule.plan(step, ["a", "b"])
        assert plan.step == step
        assert plan.turn(Cadence.OFTEN) == plan.turn(Cadence.SOMETIMES) == {"a", "b"}
        due.append(plan.due(Cadence.RARELY))
        schedule.account(training_seconds=1.0, monitor_seconds=0.01, sampled=True)
    assert due == [True, False, False, False] * 3


def pays_for_the_dense_start() -> None:
    """What the start has spent is earned before the next sample."""
    sampled = run(Schedule(dense=3, overhead=0.1), [1.0] * 100, 1.0)
    assert sampled[:3] == [0, 1, 2]
    assert len(sampled) > 3
    assert sampled[3] >= 3 * 1.0 / 0.1


def broken() -> list[str]:
    """Names of the promises that do not hold."""
    found = []
    for promise in PROMISES:
        try:
            promise()
        except AssertionError:
            found.append(promise.__name__)
    return found


PROMISES = (keeps_the_budget, keeps_the_cadence, pays_for_the_dense_start)


def test_promises() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("name", "value", "promise"),
    [
        ("AIM", 0.95, "keeps_the_budget"),
        ("AIM", 0.3, "keeps_the_budget"),
        ("FULL_EVERY", 1, "keeps_the_cadence"),
        ("FULL_EVERY", 3, "keeps_the_cadence"),
        ("FULL_EVERY", 8, "keeps_the_cadence"),
    ],
)
def test_a_changed_promise_is_caught(
    name: str, value: float, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, name, value)
    assert promise in broken()


def test_a_schedule_that_forgets_its_debt_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(schedule: Schedule, step: int) -> bool:
        return schedule.steps < schedule.dense or step % 5 == 0

    monkeypatch.setattr(Schedule, "samples", forgets)
    assert "pays_for_the_dense_start" in broken()
