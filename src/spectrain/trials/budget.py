"""What a trial may cost, and how long its arms can therefore be."""

from __future__ import annotations

from dataclasses import dataclass

from spectrain.core import InputError
from spectrain.trials.snapshot import REBUILT

SHORT, SHORT_SHARE, SHARE = 2000, 0.4, 0.15
"""Runs of fewer steps than SHORT may spend SHORT_SHARE of their steps on a trial, others SHARE."""

LEAST, MOST = 10, 100
"""Shortest branch that tells anything, and longest that is worth its price."""

PER_SNAPSHOT = 2
"""Windows for the verification at each snapshot."""

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


def plan_budget(steps: int, arms: int, *, share: float | None = None, held_out: int = 1) -> Budget:
    """The longest branches that a run of so many steps can afford.

    Arms: screening at every snapshot, base and changes at three rates, and one verification. A
    held-out batch counts as a third of a step, its forward pass; the steps up to the last snapshot
    are counted too.

    Args:
        steps: length of the run that is advised.
        arms: of the screening.
        share: of the run; by default 15 %, 40 % where it has fewer than 2,000 steps.
        held_out: number of held-out batches.

    Raises:
        InputError: the run is too short for that many arms.

    Example:
        >>> plan = plan_budget(4000, arms=8)
        >>> plan.snapshots, plan.branch, plan.passes <= 600
        ((80, 160), 12, True)
    """
    chosen = share if share is not None else SHORT_SHARE if steps < SHORT else SHARE
    allowed = int(chosen * steps)
    snapshots = (max(steps // 50, LEAST), max(steps // 25, 2 * LEAST))
    runs = len(snapshots) * arms + verification_runs(len(snapshots))
    overhead = runs * (held_out / 3 + REBUILT / 2) + snapshots[-1]
    branch = int((allowed - overhead) // runs)
    if branch < LEAST:
        needed = runs * LEAST + overhead
        raise InputError(
            f"{allowed} steps ({chosen:.0%} of {steps:,}) do not suffice for a trial of {arms} arms"
            f" with {held_out} held-out batches",
            remedy=f"try fewer changes, hold out fewer batches, allow share={needed / steps:.2g}"
            f", or advise a run of {int(needed / chosen) + 1:,} steps",
        )
    branch = min(branch, MOST)
    return Budget(snapshots, branch, int(runs * branch + overhead), allowed)


def verification_runs(snapshots: int) -> int:
    """Arms of one verification: base and changes at all rates, then on every fresh window."""
    return 2 * (len(RATES) + PER_SNAPSHOT * snapshots)
