"""When to sample: dense at the start, then at fixed intervals or as often as a budget allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from spectrain.core.errors import InputError
from spectrain.monitor.plan import Cadence, SamplePlan

AIM = 0.6
"""Share of the budget that is planned for, so that what is measured from outside stays below the
whole at the upper end of its interval: sampling costs some 5 % more than the monitor can time."""

MOST_STEPS = 2.0
"""A sample may take as long as so many training steps; beyond, it is divided among several."""

UNNOTICED = 0.25
"""Seconds that a sample may take in any case."""

LEAST_IDLE = 10
"""Unsampled steps before their mean is trusted."""

FULL_EVERY = 4
"""What is to be read rarely is read in every fourth sample under a budget."""


@dataclass(slots=True)
class Schedule:
    """Decides step by step whether to sample, from what sampling has cost so far.

    With a budget, a step after the dense start is sampled once
    spent + (expected cost of the sample) ≤ 0.6 · overhead · (seconds of training), so that the debt
    of the dense start is paid back first and the share stays within the budget from then. What is
    spent is the monitor's own time and what sampled steps, and those after them, take longer than
    the others for cold caches. Where a sample of all blocks takes longer than two training steps,
    each sampled step reads the next part of the blocks in turn; :attr:`round_steps` tells within
    how many steps each is expected to be seen.

    Attributes:
        dense: number of steps sampled at the start.
        every: sample each ``every``-th step afterwards; ``None`` leaves it to the budget.
        overhead: share of the training's own time that sampling may take.
        parts: sampled steps that share the blocks among them.
        part: which of them is next.

    Example:
        >>> schedule = Schedule(dense=1, overhead=0.1)
        >>> schedule.samples(0)
        True
        >>> schedule.account(training_seconds=1.0, monitor_seconds=0.2, sampled=True)
        >>> schedule.samples(1)  # 0.2 s spent, 0.1 s earned
        False
    """

    dense: int = 3
    every: int | None = None
    overhead: float = 0.01
    training_seconds: float = field(default=0.0, init=False)
    monitor_seconds: float = field(default=0.0, init=False)
    sampled_steps: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)
    parts: int = field(default=1, init=False)
    part: int = field(default=0, init=False)
    _rounds: float = field(default=0.0, init=False)
    _idle: tuple[float, int] = field(default=(0.0, 0), init=False)
    _busy: tuple[float, int] = field(default=(0.0, 0), init=False)
    _after_sample: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.dense < 0:
            raise InputError(f"dense is {self.dense}", remedy="pass 0 or more steps")
        if self.every is not None and self.every < 1:
            raise InputError(f"every is {self.every}", remedy="pass 1 or more steps, or None")
        if not 0 < self.overhead <= 1:
            raise InputError(f"overhead is {self.overhead}", remedy="pass a share in (0, 1]")

    def samples(self, step: int) -> bool:
        """Whether this step is to be sampled."""
        if self.steps < self.dense:
            return True
        if self.every is not None:
            return step % self.every == 0
        spent = self.monitor_seconds + self.hidden_seconds
        expected = self.round_seconds / self.parts
        return spent + expected <= AIM * self.overhead * self.training_seconds

    def plan(self, step: int, names: Sequence[str]) -> SamplePlan:
        """What the next sample reads of the named blocks, probe by probe as their cadence says."""
        full = self._full()
        turn = frozenset(names[self._turn(len(names))])
        return SamplePlan(
            step,
            {
                Cadence.OFTEN: turn,
                Cadence.SOMETIMES: turn,
                Cadence.RARELY: turn if full else frozenset(),
            },
        )

    def _full(self) -> bool:
        """Whether the next sample also reads what changes slowly: under a budget one in four."""
        return self.every is not None or int(self._rounds + 1e-9) % FULL_EVERY == 0

    def _turn(self, blocks: int) -> slice:
        """Which of so many blocks the next sample reads."""
        if self.every is not None or self.steps < self.dense or not self.steps:
            self.parts, self.part = 1, 0
        elif self.part == 0:  # a round is over
            limit = max(MOST_STEPS * self.training_seconds / self.steps, UNNOTICED)
            self.parts = max(1, min(math.ceil(self.round_seconds / limit), blocks))
        return slice(self.part * blocks // self.parts, (self.part + 1) * blocks // self.parts)

    def account(self, *, training_seconds: float, monitor_seconds: float, sampled: bool) -> None:
        """Book one finished step: the training's own seconds and those of the monitor."""
        self.steps += 1
        self.training_seconds += training_seconds
        self.monitor_seconds += monitor_seconds
        self.sampled_steps += sampled
        if self.steps > self.dense + 1:
            seconds, count = self._busy if sampled or self._after_sample else self._idle
            booked = (seconds + training_seconds, count + 1)
            if sampled or self._after_sample:
                self._busy = booked
            else:
                self._idle = booked
        self._after_sample = sampled
        if sampled:
            self._rounds += 1 / self.parts
            self.part = (self.part + 1) % self.parts

    @property
    def hidden_seconds(self) -> float:
        """What sampled steps and those after them took longer than the others, in all."""
        (idle, quiet), (busy, count) = self._idle, self._busy
        return max(busy - count * idle / quiet, 0.0) if quiet >= LEAST_IDLE else 0.0

    @property
    def round_seconds(self) -> float:
        """Mean cost of a sample of all blocks."""
        return self.monitor_seconds / self._rounds if self._rounds else 0.0

    @property
    def round_steps(self) -> int | None:
        """Steps within which every block is expected to be read; ``None`` before it is known."""
        if self.every is not None:
            return self.every
        if not self.training_seconds or not self._rounds:
            return None
        return math.ceil(
            self.round_seconds * self.steps / (AIM * self.overhead * self.training_seconds)
        )

    @property
    def achieved(self) -> float | None:
        """Monitor seconds per second of training; ``None`` before anything was timed."""
        return self.monitor_seconds / self.training_seconds if self.training_seconds else None
