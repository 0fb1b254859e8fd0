"""The schedule keeps its budget, whatever steps and samples cost, and reads what it promises."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.monitor import budget
from spectrain.monitor import schedule as schedules
from spectrain.monitor.account import Account
from spectrain.monitor.budget import earned
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.schedule import AIM, FREE, FREE_STEPS, MOST_STEPS, UNNOTICED, Schedule

BLOCKS = {f"block {number}": 0.001 for number in range(10)}

OFTEN, SOMETIMES, SELDOM, RARELY = Cadence


def run(
    schedule: Schedule,
    steps: int,
    step_seconds: float | list[float],
    prices: dict[Cadence, float] | None = None,
    blocks: dict[str, float] | None = None,
) -> list[SamplePlan]:
    """A simulated training: prices are seconds a second of the blocks' a-priori work."""
    prices = prices or {OFTEN: 0.1, SOMETIMES: 3.0, RARELY: 3.0}
    blocks = BLOCKS if blocks is None else blocks
    schedule.watches(blocks)
    plans = []
    for step in range(steps):
        spent: dict[Cadence, float] = {}
        plan = SamplePlan(step, {})
        if sampled := schedule.samples(step):
            plan = schedule.plan(step)
            spent = {c: prices.get(c, 0.0) * sum(blocks[n] for n in plan.turn(c)) for c in Cadence}
        schedule.account(
            training_seconds=step_seconds[step] if isinstance(step_seconds, list) else step_seconds,
            monitor_seconds=sum(spent.values()),
            sampled=sampled,
            spent=spent,
        )
        plans.append(plan)
    return plans


def readings(plans: list[SamplePlan], cadence: Cadence) -> dict[str, list[int]]:
    """Steps at which each block was read."""
    found: dict[str, list[int]] = defaultdict(list)
    for plan in plans:
        for name in plan.turn(cadence):
            found[name].append(plan.step)
    return found


@given(
    steps=st.lists(st.floats(0.01, 1.0), min_size=20, max_size=80),
    price=st.floats(0.1, 30.0),
    overhead=st.floats(0.005, 0.2),
    dense=st.integers(0, 5),
)
def test_the_budget_is_kept_once_the_dense_start_is_paid(
    steps: list[float], price: float, overhead: float, dense: int
) -> None:
    schedule = Schedule(dense=dense, overhead=overhead)
    prices = dict.fromkeys(Cadence, price)
    run(schedule, len(steps), steps, prices)
    start = max(dense, 1) * 3 * price * sum(BLOCKS.values())  # the first price is a guess, too
    allowed = overhead * earned(sum(steps)) + FREE * (len(steps) / FREE_STEPS) ** 0.5
    assert schedule.monitor_seconds <= max(allowed, start) + start / 3


@pytest.mark.parametrize("seconds", [100.0, 600.0, 3600.0, 20_000.0])
def test_five_times_the_share_at_first_and_paid_back_within_the_hour(seconds: float) -> None:
    schedule = Schedule(dense=1, overhead=0.01)
    run(schedule, 2000, seconds / 2000, dict.fromkeys(Cadence, 30.0))
    assert schedule.monitor_seconds <= AIM * 0.01 * earned(seconds) + 1.0
    if seconds >= 3600:
        assert schedule.achieved <= 0.01


def test_the_budget_is_used() -> None:
    schedule = Schedule(dense=1, overhead=0.01)
    run(schedule, 4000, 1.0, dict.fromkeys(Cadence, 300.0))
    assert 0.8 * AIM * 0.01 <= (schedule.achieved or 0.0) <= AIM * 0.01 * 1.1


def test_slow_steps_after_a_sample_count_as_its_cost() -> None:
    schedule = Schedule(dense=0, overhead=0.02)
    schedule.watches({"w": 0.1})
    slow = False
    for step in range(600):
        samples = schedule.samples(step)
        seconds = 1.5 if samples or slow else 1.0
        schedule.account(
            training_seconds=seconds, monitor_seconds=0.5 if samples else 0.0, sampled=samples
        )
        slow = samples
    assert schedule.hidden_seconds == pytest.approx(schedule.sampled_steps * 1.0, rel=0.4)
    spent = schedule.monitor_seconds + schedule.hidden_seconds
    assert spent <= 1.05 * schedule.allowance


def test_a_nano_training_of_a_thousand_steps_is_read_often_enough() -> None:
    """Steps of 40 ms, gradients of all blocks 25 ms: 24 samples of these, 40 of norms."""
    blocks = {f"block {number}": 0.001 for number in range(25)}
    prices = {OFTEN: 0.1, SOMETIMES: 1.0, RARELY: 4.0}
    for length in (None, 1000):
        schedule = Schedule(length=length)
        plans = run(schedule, 1000, 0.04, prices, blocks)
        assert min(map(len, readings(plans, SOMETIMES).values())) >= 24
        assert min(map(len, readings(plans, OFTEN).values())) >= 40
        assert min(map(len, readings(plans, RARELY).values())) >= 3
        assert schedule.achieved <= 0.05


def test_no_step_carries_more_than_its_share_and_every_block_has_its_turn() -> None:
    """Large blocks: a round takes 60 seconds where a step takes one."""
    blocks = {f"block {number}": 0.5 + 0.1 * (number % 3) for number in range(40)}
    prices = {OFTEN: 0.01, SOMETIMES: 2.0, RARELY: 2.0}
    schedule = Schedule(overhead=0.1)
    schedule.watches(blocks)
    plans = run(schedule, 3000, 1.0, prices, blocks)
    for plan in plans:
        price = sum(prices.get(c, 0.0) * sum(blocks[n] for n in plan.turn(c)) for c in Cadence)
        assert price <= MOST_STEPS * 1.0 + UNNOTICED
    read = readings(plans, SOMETIMES)
    assert set(read) == set(blocks)
    counts = [len(steps) for steps in read.values()]
    assert max(counts) - min(counts) <= 1
    assert min(counts) >= 2
    assert schedule.round_steps is not None


def test_a_block_that_no_step_can_bear_is_read_once_it_is_earned() -> None:
    blocks = {"embedding": 4.0, "a": 0.01, "b": 0.01}
    prices = {OFTEN: 0.001, SOMETIMES: 1.0, RARELY: 1.0}
    schedule = Schedule(overhead=0.02)
    plans = run(schedule, 1500, 0.2, prices, blocks)
    assert "embedding" not in plans[0].turn(SOMETIMES)
    assert "a" in plans[0].turn(SOMETIMES)
    read = readings(plans, SOMETIMES)
    assert read["embedding"]
    assert all(plans[step].turn(SOMETIMES) == {"embedding"} for step in read["embedding"])
    assert len(read["a"]) > len(read["embedding"])
    assert schedule.monitor_seconds <= 0.02 * 5 * 300


def test_a_known_length_spreads_the_samples_and_reads_the_last_step() -> None:
    schedule = Schedule(length=500)
    plans = run(schedule, 500, 1.0, dict.fromkeys(Cadence, 0.01))
    assert all(plans[-1].due(cadence) for cadence in Cadence)
    steps = [plan.step for plan in plans if plan.due(SOMETIMES)]
    assert 90 <= len(steps) <= 110
    assert max(b - a for a, b in pairwise(steps)) <= 8


def test_an_unknown_length_grows_the_distance() -> None:
    plans = run(Schedule(), 3000, 1.0, dict.fromkeys(Cadence, 0.01))
    steps = [plan.step for plan in plans if plan.due(RARELY)]
    assert len(steps) > 60
    gaps = [b - a for a, b in pairwise(steps)]
    assert gaps[-2] >= 100
    assert max(gaps) <= 130


def test_every_counts_absolute_steps_and_ignores_the_budget() -> None:
    schedule = Schedule(dense=2, every=5)
    plans = run(schedule, 12, 1.0, dict.fromkeys(Cadence, 900.0))
    assert [plan.step for plan in plans if plan.due(OFTEN)] == [0, 1, 5, 10]
    assert all(plan.turn(RARELY) == set(BLOCKS) for plan in plans if plan.due(OFTEN))
    assert schedule.round_steps == 5


def test_blocks_that_come_and_go() -> None:
    schedule = Schedule(dense=4)
    run(schedule, 1, 1.0)
    schedule.samples(1)
    schedule.watches({"new": 0.001, "block 0": 0.001})
    assert schedule.plan(1).turn(SOMETIMES) <= {"new", "block 0"}
    schedule.account(training_seconds=1.0, monitor_seconds=0.1, sampled=True)
    schedule.samples(2)
    assert schedule.plan(2).turn(SOMETIMES) == {"new", "block 0"}


def test_without_blocks_it_looks_for_them_ever_more_rarely() -> None:
    schedule = Schedule()
    plans = run(schedule, 20, 0.1, blocks={})
    assert not any(plan.due(cadence) for plan in plans for cadence in Cadence)
    schedule = Schedule(every=3)
    schedule.watches({})
    asked = []
    for step in range(20):
        asked.append(schedule.samples(step))
        schedule.account(training_seconds=0.1, monitor_seconds=0.0, sampled=False)
    assert [step for step, one in enumerate(asked) if one] == [0, 1, 2, 4, 8, 16]


def test_a_clock_that_stands_still_stops_nothing() -> None:
    schedule = Schedule()
    plans = run(schedule, 5000, 0.0)
    assert plans[0].due(SOMETIMES)
    assert schedule.monitor_seconds <= 1.2 * FREE  # no training was seen that could earn more


def test_nothing_timed_is_no_overhead() -> None:
    assert Schedule().achieved is None
    assert Schedule().round_steps is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dense": -1}, "dense is -1"),
        ({"every": 0}, "every is 0"),
        ({"overhead": 0.0}, "overhead is 0.0"),
        ({"length": 0}, "steps is 0; pass the run's length"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schedule(**settings)


UNTIMED = 1.5
"""What a sample costs in truth for each second that the monitor can time, at worst."""


def keeps_the_budget() -> None:
    """With what cannot be timed it stays below the whole, and more than half of it is used."""
    schedule = Schedule(dense=2, overhead=0.01)
    run(schedule, 4000, 1.0, dict.fromkeys(Cadence, 300.0))
    assert 0.5 * 0.01 <= UNTIMED * (schedule.achieved or 0.0) <= 0.01


def keeps_the_start() -> None:
    """In ten minutes up to five per cent, and not more."""
    schedule = Schedule(dense=1, overhead=0.01)
    run(schedule, 600, 1.0, dict.fromkeys(Cadence, 100.0))
    assert 0.015 <= (schedule.achieved or 0.0) <= 0.05 / UNTIMED


def keeps_the_cadence() -> None:
    """What is cheap is read most, what changes slowly least."""
    plans = run(Schedule(length=2000), 2000, 1.0, dict.fromkeys(Cadence, 0.01))
    counts = {cadence: len(readings(plans, cadence)["block 0"]) for cadence in Cadence}
    assert 180 <= counts[OFTEN] <= 220
    assert 90 <= counts[SOMETIMES] <= 110
    assert abs(counts[SELDOM] - counts[SOMETIMES] / 3) <= 2
    assert 23 <= counts[RARELY] <= 28


def keeps_the_steps_short() -> None:
    """No step is more than three steps long."""
    blocks = {f"block {number}": 1.0 for number in range(30)}
    for plan in run(Schedule(overhead=0.1), 300, 1.0, dict.fromkeys(Cadence, 1.0), blocks):
        assert sum(len(plan.turn(c)) for c in (SOMETIMES, RARELY)) <= 2


def keeps_short_runs_short() -> None:
    """Two seconds of training get their samples for less than one, which is spread over the run."""
    schedule, prices = Schedule(), {OFTEN: 0.1, SOMETIMES: 0.8, RARELY: 0.8}
    plans = run(schedule, 2000, 0.001, prices)
    steps = readings(plans, SOMETIMES)["block 0"]
    assert len(steps) >= 16
    assert sum(step >= 500 for step in steps) >= len(steps) / 3
    assert schedule.monitor_seconds <= 0.75


PROMISES: tuple[Callable[[], None], ...] = (
    keeps_the_budget,
    keeps_the_start,
    keeps_the_cadence,
    keeps_the_steps_short,
    keeps_short_runs_short,
)


@pytest.mark.parametrize("promise", PROMISES)
def test_promises(promise: Callable[[], None]) -> None:
    promise()


@pytest.mark.parametrize(
    ("name", "value", "promise"),
    [
        ("AIM", 0.95, keeps_the_budget),
        ("AIM", 0.3, keeps_the_budget),
        ("START", 15.0, keeps_the_start),
        ("START", 1.0, keeps_the_start),
        ("PAID_SECONDS", 36_000.0, keeps_the_budget),
        ("ROUNDS", dict.fromkeys(Cadence, 100), keeps_the_cadence),
        *(
            (
                "ROUNDS",
                {**schedules.ROUNDS, cadence: 2 * schedules.ROUNDS[cadence]},
                keeps_the_cadence,
            )
            for cadence in schedules.ROUNDS
        ),
        ("SELDOM_EVERY", 2, keeps_the_cadence),
        ("FREE", 5.0, keeps_short_runs_short),
        ("FREE", 0.0, keeps_short_runs_short),
        ("FREE_STEPS", 1, keeps_short_runs_short),
        ("MOST_STEPS", 8.0, keeps_the_steps_short),
        ("UNNOTICED", 8.0, keeps_the_steps_short),
    ],
)
def test_a_changed_promise_is_caught(
    name: str, value: object, promise: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget if hasattr(budget, name) else schedules, name, value)
    with pytest.raises(AssertionError):
        promise()


def test_a_schedule_that_forgets_its_debt_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schedule, "allowance", property(lambda schedule: 1e9))
    with pytest.raises(AssertionError):
        keeps_the_budget()


def test_prices_follow_what_was_paid_last() -> None:
    """The first reading replaces the guess, each later one counts half."""
    account = Account(factor=4.0)
    assert account.price(2.0) == 8.0
    account.book(1.0, work=0.0)  # nothing was read: no price is met
    assert (account.factor, account.seconds) == (4.0, 1.0)
    account.book(6.0, work=2.0)
    assert account.factor == 3.0
    account.book(2.0, work=2.0)
    assert (account.factor, account.seconds) == (2.0, 9.0)
