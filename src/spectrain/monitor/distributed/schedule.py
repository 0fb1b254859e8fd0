"""A schedule on which all processes agree, without talking between two samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from spectrain.monitor.schedule import AIM, Schedule


@dataclass(slots=True)
class AgreedSchedule(Schedule):
    """The budget of the slowest process decides, at each sample, when the next one is due.

    With training and monitor seconds T and M (the largest of any process), n steps, k samples and
    the budget b, the next sample comes after the w steps for which M + M/k ≤ 0.6·b(T + wT/n).

    Attributes:
        slowest: entrywise maximum over the processes; a collective call.

    Example:
        >>> schedule = AgreedSchedule(dense=1, overhead=0.5)
        >>> schedule.account(training_seconds=1.0, monitor_seconds=1.0, sampled=True)
        >>> schedule.due
        7
    """

    slowest: Callable[[Sequence[float]], list[float]] = list
    due: int = field(default=0, init=False)

    def samples(self, step: int) -> bool:
        if self.steps < self.dense or self.every is not None:
            return Schedule.samples(self, step)
        return self.steps >= self.due

    def _turn(self, blocks: int) -> slice:
        return slice(0, blocks)  # the processes' clocks differ, their collective calls must not

    def account(self, *, training_seconds: float, monitor_seconds: float, sampled: bool) -> None:
        Schedule.account(
            self,
            training_seconds=training_seconds,
            monitor_seconds=monitor_seconds,
            sampled=sampled,
        )
        if sampled and self.every is None:
            training, monitor = self.slowest([self.training_seconds, self.monitor_seconds])
            needed = (monitor + monitor / self.sampled_steps) / (AIM * self.overhead)
            wait = (needed - training) / max(training / self.steps, 1e-9)
            self.due = self.steps + max(0, math.ceil(wait))
