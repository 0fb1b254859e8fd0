"""What a trial found: effects, what was adopted and on which evidence, and what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from spectrain.core.notebook import small_table
from spectrain.trials.changes import Change
from spectrain.trials.effects import Effect
from spectrain.trials.setup import SetUp


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """One change and its effect in the screening.

    Attributes:
        change: which.
        effect: on the held-out loss, in the screening; ``None`` where it could not be estimated.
        adopted: whether it is part of the plan.
        note: why it is not.
    """

    change: Change
    effect: Effect | None
    adopted: bool
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "change": self.change.name,
            "parameters": list(self.change.touches),
            "why": self.change.why,
            "effect": None if self.effect is None else asdict(self.effect),
            "adopted": self.adopted,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """A comparison of base and changed set-up on batches that no choice was made by.

    Attributes:
        changes: names of the changes together.
        effect: on the held-out loss of branches, each side at its own best rate.
        expected: at the end of the run, see :func:`~spectrain.trials.horizon.carried`; decides.
        level: coverage of its interval, so that all looks together keep 95 %.
        rates: best factors on the rates of base and changed set-up.
        windows: snapshot and difference of the held-out losses of every window.
        courses: training losses of base and changed arm in every window.
    """

    changes: tuple[str, ...]
    effect: Effect
    expected: Effect
    level: float
    rates: tuple[float, float]
    windows: tuple[tuple[int, float], ...]
    courses: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial found.

    Attributes:
        base: the set-up that was to be improved.
        setup: the set-up that the trial supports; the base itself where nothing was adopted.
        effects: every change, the largest gain first.
        verifications: in the order in which they were looked at.
        passes: forward and backward passes that were spent.
        share: of the run that is advised.
        branch: optimizer steps of an arm.
        snapshots: steps at which arms forked.
        notes: arms that ended early, rates at the end of their range, and the like.
    """

    base: SetUp
    setup: SetUp
    effects: tuple[ChangeEffect, ...]
    verifications: tuple[Verification, ...]
    passes: int
    share: float
    branch: int
    snapshots: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def adopted(self) -> tuple[str, ...]:
        """Names of the changes that the plan holds."""
        return tuple(one.change.name for one in self.effects if one.adopted)

    @property
    def statement(self) -> str:
        """The outcome in one sentence."""
        if not self.branch:
            return f"No change: {'; '.join(self.notes)}."
        for look in self.verifications:
            if self.adopted and set(look.changes) == set(self.adopted):
                seen, end = look.effect, look.expected
                return (
                    f"Adopt {', '.join(self.adopted)}: held-out loss lower by {-seen.value:.3g} "
                    f"after {self.branch} steps from step {self.snapshots[-1]:,} at the latest; at "
                    f"the end of the run {-end.value:.3g} ({-end.high:.3g} to {-end.low:.3g}) are "
                    "expected."
                )
        blind = "; ".join(note for note in self.notes if note.startswith("branches of"))
        return (
            f"No change: none gains for sure, by branches of {self.branch} steps from step "
            f"{self.snapshots[-1]:,} at the latest{f' ({blind})' if blind else ''}."
        )

    def __repr__(self) -> str:
        return f"TrialResult({self.statement})"

    def _repr_html_(self) -> str:
        rows = (
            (
                one.change.name,
                "–" if one.effect is None else f"{one.effect.value:.3g}",
                "" if one.effect is None else f"{one.effect.low:.3g}…{one.effect.high:.3g}",
                "adopted" if one.adopted else one.note,
            )
            for one in self.effects
        )
        head = ("change", "loss", "95 %", "")
        return small_table(self.statement, rows, head=head, total=len(self.effects))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for YAML or JSON: the plan, and the evidence behind each line."""
        return {
            "spectrain_setup": 1,
            "statement": self.statement,
            "setup": self.setup.to_dict(),
            "changes": [one.to_dict() for one in self.effects],
            "verifications": [asdict(one) for one in self.verifications],
            "passes": self.passes,
            "share": self.share,
            "branch": self.branch,
            "snapshots": list(self.snapshots),
            "notes": list(self.notes),
        }
