"""A schedule on which all processes agree, without talking between two samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from spectrain.monitor.budget import training_for
from spectrain.monitor.plan import Cadence
from spectrain.monitor.schedule import AIM, SELDOM_EVERY, Schedule

FULL_EVERY = 4
"""What is read rarely is read in every fourth sample."""


@dataclass(slots=True)
class AgreedSchedule(Schedule):
    """The budget of the slowest process decides, at each sample, when the next one is due.

    With training and monitor seconds T and M (the largest of any process), n steps and k samples
    the next sample comes after the w steps for which M + M/k ≤ 0.64·b·earned(T + wT/n). Each reads
    all blocks: the processes' clocks differ, and their collective calls must not.

    Attributes:
        slowest: entrywise maximum over the processes; a collective call.

    Example:
        >>> schedule = AgreedSchedule(dense=1, overhead=0.1)
        >>> schedule.account(training_seconds=1.0, monitor_seconds=1.0, sampled=True)
        >>> schedule.due  # 2/(0.64·5·0.1) = 6.25 seconds
        7
    """

    slowest: Callable[[Sequence[float]], list[float]] = list
    due: int = field(default=0, init=False)

    def samples(self, step: int) -> bool:
        if self.every is not None:
            return Schedule.samples(self, step)
        for account in self.accounts.values():
            account.reading = ()
        last = self.length is not None and step == self.length - 1
        if self.steps < self.dense or self.steps >= self.due or last:
            self._read_all()
            if self.sampled_steps % FULL_EVERY and not last:
                self.accounts[Cadence.RARELY].reading = ()
            if self.sampled_steps % SELDOM_EVERY and not last:
                self.accounts[Cadence.SELDOM].reading = ()
            return True
        return False

    def account(
        self,
        *,
        training_seconds: float,
        monitor_seconds: float,
        sampled: bool,
        spent: Mapping[Cadence, float] | None = None,
    ) -> None:
        Schedule.account(
            self,
            training_seconds=training_seconds,
            monitor_seconds=monitor_seconds,
            sampled=sampled,
            spent=spent,
        )
        if sampled and self.every is None:
            training, monitor = self.slowest([self.training_seconds, self.monitor_seconds])
            after = monitor + monitor / self.sampled_steps
            needed = training_for(after / (AIM * self.overhead))
            wait = (needed - training) / max(training / self.steps, 1e-9)
            self.due = self.steps + max(0, math.ceil(wait))
