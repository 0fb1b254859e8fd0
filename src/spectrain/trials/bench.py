"""The bench: runs arms, keeps their outcomes, and keeps account of their cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from spectrain.sweeps import Task, run_tasks
from spectrain.trials.arm import ArmOutcome, Window, run_arm
from spectrain.trials.budget import Budget
from spectrain.trials.setup import SetUp
from spectrain.trials.snapshot import Snapshot
from spectrain.trials.source import Source

Arm = tuple[SetUp, Window, float]
"""A set-up, where it starts and how long it lasts, and a factor on its rates."""


@dataclass(slots=True)
class Bench:
    """Runs arms of one trial; an arm that is asked for again costs nothing.

    Attributes:
        source: model, loss and data.
        base: the set-up that is to be improved.
        budget: what the trial may cost.
        place: folder of the outcomes.
        workers: processes.
        backend: of :func:`spectrain.sweeps.run_tasks`.
        advance: called after each pass.
        mark: what distinguishes this trial's outcomes from another's in the same folder.
        passes: forward and backward passes so far; a held-out batch counts as a third.
        seconds: time that they took.
    """

    source: Source
    base: SetUp
    budget: Budget
    place: Path
    workers: int
    backend: str
    advance: Callable[[], None]
    mark: str = ""
    passes: float = 0.0
    seconds: float = 0.0
    _counted: set[str] = field(default_factory=set)

    def spend(self, passes: int) -> None:
        """Count passes that no arm took."""
        self.passes += passes
        for _ in range(passes):
            self.advance()

    def window(self, snapshot: Snapshot, number: int) -> Window:
        """The number-th window of a snapshot: its batches follow those of the one before."""
        branch = self.budget.branch
        return Window(snapshot, snapshot.first + number * branch, branch)

    def run(self, arms: Sequence[Arm]) -> list[ArmOutcome]:
        """Outcomes of arms, those on disk included."""
        names = [self._digest(*arm) for arm in arms]
        tasks = [
            Task(_attempt, (self.source, *arm), self.place / f"{name}.npz")
            for arm, name in zip(arms, names, strict=True)
        ]
        start = perf_counter()
        done = run_tasks(tasks, workers=self.workers, backend=self.backend)
        self.seconds += perf_counter() - start
        outcomes = []
        for name, one in zip(names, done, strict=True):
            if one.outcome is None:
                nothing = tuple(float("nan") for _ in self.source.held_out)
                outcomes.append(ArmOutcome(nothing, 0, one.problem))
                continue
            saved = one.outcome
            outcome = ArmOutcome(
                tuple(np.atleast_1d(saved["losses"]).tolist()),
                int(saved["passes"]),
                str(saved["problem"]) or None,
                tuple(np.atleast_1d(saved["course"]).tolist()),
            )
            outcomes.append(outcome)
            if name not in self._counted:
                self._counted.add(name)
                self.spend(outcome.passes)
                self.passes += len(outcome.losses) / 3
        return outcomes

    def _digest(self, setup: SetUp, window: Window, rate: float) -> str:
        inputs = {
            "trial": self.mark,
            "setup": setup.to_dict(),
            "snapshot": window.snapshot.step,
            "first": window.first,
            "steps": window.steps,
            "rate": rate,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:20]


def _attempt(case: tuple[Source, SetUp, Window, float]) -> dict[str, Any]:
    source, setup, window, rate = case
    outcome = run_arm(source, setup, window, rate=rate)
    return {
        "losses": np.array(outcome.losses),
        "passes": outcome.passes,
        "problem": outcome.problem or "",
        "course": np.array(outcome.course),
    }
