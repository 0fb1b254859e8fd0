"""When to sample: dense at the start, then at fixed intervals or as often as a budget allows."""

from __future__ import annotations

from dataclasses import dataclass, field

from spectrain.core.errors import InputError

FULL_EVERY = 4
"""Weights, and updates without their decay, are read in every fourth sample under a budget."""


@dataclass(slots=True)
class Schedule:
    """Decides step by step whether to sample, from what sampling has cost so far.

    With a budget, a step after the dense start is sampled once
    spent + (mean cost of a sample) ≤ overhead · (seconds of training without the monitor), so that
    the debt of the dense start is paid back first and the share stays within the budget from then.

    Attributes:
        dense: number of steps sampled at the start.
        every: sample each ``every``-th step afterwards; ``None`` leaves it to the budget.
        overhead: share of the training's own time that sampling may take.

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
        expected = self.monitor_seconds / max(self.sampled_steps, 1)
        return self.monitor_seconds + expected <= self.overhead * self.training_seconds

    def full(self) -> bool:
        """Whether the next sample also reads what changes slowly: under a budget one in four."""
        return self.every is not None or self.sampled_steps % FULL_EVERY == 0

    def account(self, *, training_seconds: float, monitor_seconds: float, sampled: bool) -> None:
        """Book one finished step: the training's own seconds and those of the monitor."""
        self.steps += 1
        self.training_seconds += training_seconds
        self.monitor_seconds += monitor_seconds
        self.sampled_steps += sampled

    @property
    def achieved(self) -> float | None:
        """Monitor seconds per second of training; ``None`` before anything was timed."""
        return self.monitor_seconds / self.training_seconds if self.training_seconds else None
