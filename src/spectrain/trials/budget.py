"""What a trial may cost, and how long its arms can therefore be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spectrain.core import InputError
from spectrain.trials.horizon import BLIND, TELLING
from spectrain.trials.snapshot import REBUILT

SHORT, SHORT_SHARE, SHARE = 2000, 0.4, 0.15
"""Runs of fewer steps than SHORT may spend SHORT_SHARE of their steps on a trial, others SHARE."""

LEAST = 10
"""Shortest branch."""

PER_SNAPSHOT, FEWEST = 2, 4
"""Windows for the verification at each snapshot, and how many there are at least."""

SCREENED = 2
"""Windows of the screening, spread over the snapshots."""

RATES = (0.5, 1.0, 2.0)
"""Factors on all rates at which base and chosen changes are compared."""

LOOKS = 2
"""Most verifications: all chosen changes together, then the best alone."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Snapshots and length of branches that keep to a share of the run.

    Attributes:
        snapshots: steps of the base training at which arms fork.
        branch: optimizer steps of an arm.
        passes: forward and backward passes that it takes with one verification.
        allowed: passes that it may take; a second verification is made where they suffice.
    """

    snapshots: tuple[int, ...]
    branch: int
    passes: int
    allowed: int

    def told(self, steps: int, seconds: float | None = None) -> str:
        """What the trial will cost, in words.

        Args:
            steps: length of the run that is advised.
            seconds: time of a step, where it was measured.

        Example:
            >>> Budget((20, 40), 12, 380, 400).told(1000, 0.5)
            'A trial of at most 400 steps (40% of 1,000), by branches of 12: about 3 minutes.'
        """
        share = f"({self.allowed / steps:.0%} of {steps:,})"
        time = "" if seconds is None else f": about {_duration(self.allowed * seconds)}"
        length = f", by branches of {self.branch:,}"
        return f"A trial of at most {self.allowed:,} steps {share}{length}{time}."


def too_short(budget: Budget, steps: int) -> str:
    """That branches are too short for anything to be adopted, and what would suffice."""
    needed = budget.passes * int(TELLING * steps) / budget.branch / steps
    length = f"{budget.branch:,} steps are {budget.branch / steps:.1%} of the run"
    return (
        f"branches of {length}, and those of {BLIND:.1%} and less told nothing of its end: effects "
        f"are shown, none is adopted; share={needed:.2g} would buy branches of half the run"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def snapshot_steps(steps: int) -> tuple[int, int]:
    """Where arms fork from a run of so many steps: at 2 % and 4 %, at steps 10 and 20 at least."""
    return max(steps // 50, LEAST), max(steps // 25, 2 * LEAST)


def plan_budget(
    steps: int,
    arms: int,
    *,
    share: float | None = None,
    held_out: int = 1,
    snapshots: Sequence[int] | None = None,
    trunk: int | None = None,
) -> Budget:
    """The longest branches that a run of so many steps can afford.

    Arms: screening at every snapshot, base and changes at three rates, and one verification. A
    held-out batch counts as a third of a step, its forward pass; the steps up to the last snapshot
    are counted too.

    Args:
        steps: length of the run that is advised.
        arms: of the screening.
        share: of the run; by default 15 %, 40 % where it has fewer than 2,000 steps.
        held_out: number of held-out batches.
        snapshots: steps of the snapshots; those of :func:`snapshot_steps` if not given.
        trunk: passes up to the last of them; as many as its step if not given.

    Raises:
        InputError: the run is too short for that many arms.

    Example:
        >>> plan = plan_budget(4000, arms=8)
        >>> plan.snapshots, plan.branch, plan.passes <= 600
        ((80, 160), 12, True)
    """
    chosen = share if share is not None else SHORT_SHARE if steps < SHORT else SHARE
    allowed = int(chosen * steps)
    at = tuple(snapshot_steps(steps) if snapshots is None else snapshots)
    runs = screening_windows(len(at)) * len(at) * arms + verification_runs(len(at))
    overhead = runs * (held_out / 3 + REBUILT / 2) + (at[-1] if trunk is None else trunk)
    branch = int((allowed - overhead) // runs)
    if branch < LEAST:
        needed = runs * LEAST + overhead
        raise InputError(
            f"{allowed} steps ({chosen:.0%} of {steps:,}) do not suffice for a trial of {arms} arms"
            f" with {held_out} held-out batches",
            remedy=f"try fewer changes, hold out fewer batches, allow share={needed / steps:.2g}"
            f", or advise a run of {int(needed / chosen) + 1:,} steps",
        )
    branch = min(branch, max(LEAST, int(TELLING * steps)))
    return Budget(at, branch, int(runs * branch + overhead), allowed)


def screening_windows(snapshots: int) -> int:
    """Windows of the screening at each snapshot."""
    return max(1, SCREENED // snapshots)


def fresh_windows(snapshots: int) -> int:
    """Windows of a verification at each snapshot."""
    return max(PER_SNAPSHOT, -(-FEWEST // snapshots))


def verification_runs(snapshots: int) -> int:
    """Arms of one verification: base and changes at all rates, then on every fresh window."""
    return 2 * (len(RATES) + fresh_windows(snapshots) * snapshots)
