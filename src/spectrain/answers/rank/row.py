"""What is said of the rank of one block's gradient."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Group, Row
from spectrain.answers.question import Told
from spectrain.answers.rank.health import State


class Verdict(StrEnum):
    """Where the rank goes."""

    FALLING = "falling"
    RISING = "rising"
    NO_TREND = "no trend"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.FALLING: Told("↘", "the effective rank falls, at a false discovery rate of 5 %"),
    Verdict.RISING: Told("↗", "it rises, at the same rate"),
    Verdict.NO_TREND: Told("→", "no trend beyond noise"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}


@dataclass(frozen=True, kw_only=True)  # without slots, which two bases cannot both have
class Course:
    """How a share of full rank went through the run; part of rows and of groups.

    Attributes:
        verdict: where it goes.
        samples: after the start of the run.
        window: first and last step of them.
        early: median of the first third.
        late: of the last third.
        change: late over early.
        low: lower end of the 95 % interval of the change.
        high: upper end.
        rho: Spearman's correlation with time.
        p_value: of the test for a trend.
        q_value: after the procedure of Benjamini and Hochberg.
        autocorrelation: of neighbouring residuals.
    """

    verdict: Verdict = Verdict.UNKNOWN
    samples: int = 0
    window: tuple[int, int] | None = None
    early: float | None = None
    late: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    rho: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    autocorrelation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow(Row, Course):
    """One block.

    Attributes:
        early_signal: early share after correction for sampling noise, where replicas allow.
        late_signal: late share likewise.
        state: of the gradient; see :func:`spectrain.answers.rank.health.gradient_health`.
        not_finite_at: first sampled step whose gradient was not finite.
        norm_early: median gradient norm of the first third.
        norm_late: of the last third.
        update_rank: median effective rank of the applied update in the last third.
        update_share: the same over full rank.
        low_rank_update: whether that is at most a tenth.
    """

    early_signal: float | None = None
    late_signal: float | None = None
    state: State | None = None
    not_finite_at: int | None = None
    norm_early: float | None = None
    norm_late: float | None = None
    update_rank: float | None = None
    update_share: float | None = None
    low_rank_update: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankGroup(Group, Course):
    """The median block of a role or of a depth."""

    reason: str | None = None
