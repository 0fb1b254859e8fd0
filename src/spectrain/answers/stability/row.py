"""What is said of the stability of one block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from spectrain.answers.finding import Group, Row
from spectrain.answers.loss import LossCourse
from spectrain.answers.question import Told


class Verdict(StrEnum):
    """Where what grows in a block stands."""

    STEADY = "steady"
    GROWING = "growing"
    ALARM = "alarm"
    UNKNOWN = "not enough data"


VERDICTS = {
    Verdict.STEADY: Told("=", "nothing passes its limit within as many steps as were recorded"),
    Verdict.GROWING: Told("▲", "at its present rate something does"),
    Verdict.ALARM: Told("!", "something has passed its limit"),
    Verdict.UNKNOWN: Told("·", "the records do not suffice"),
}


class Indicator(StrEnum):
    """What is watched for growth.

    ``GAIN``: ‖W‖_op. ``LOGITS``: the bound of the attention logits at the mean square of the
    inputs. ``SEEN``: the largest attention logit of the step's batch. ``RANGE``: the largest input
    over the largest number of its precision.
    """

    GAIN = "largest singular value"
    LOGITS = "bound of the logits"
    SEEN = "largest logit"
    RANGE = "input over the range of its precision"


class Pace(StrEnum):
    """How far a step moves a block's output, against the median block."""

    EVEN = "even"
    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One indicator of one block through the run.

    Attributes:
        indicator: which.
        value: at the last step, by the line through the late samples' logarithms.
        limit: that it should stay below.
        rate: of exponential growth, per step.
        low: end of the rate's 95 % interval.
        high: the other end.
        passes: step at which it is at the limit at that rate; ``None`` where it does not grow.
        earliest: the same at ``high``.
        latest: the same at ``low``; ``None`` where that does not grow.
        p_value: of "it does not pass within as many steps as were recorded".
        q_value: after Benjamini and Hochberg over all courses of the run.
        samples: late ones, that the line goes through.
    """

    indicator: Indicator
    value: float
    limit: float
    rate: float
    low: float
    high: float
    passes: float | None = None
    earliest: float | None = None
    latest: float | None = None
    p_value: float
    q_value: float | None = None
    samples: int

    @property
    def past(self) -> bool:
        """Whether it is beyond its limit."""
        return self.value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityRow(Row):
    """One block.

    Attributes:
        parameter: that holds it.
        verdict: where what grows stands.
        course: the indicator that decides it; the one nearest to its limit where all are steady.
        head: that has the largest logit, or bound of logits, from 1.
        pace: of learning, for its shape.
        pace_ratio: ‖ΔW x‖_rms/‖x‖_rms over that of the median block, after the first third.
        pace_low: end of its 95 % interval.
        pace_high: the other end.
        gain: ‖W x‖_rms/‖x‖_rms, late in the run.
        largest_logit: of its heads that was seen, late in the run, where attention is eager.
        channel_kurtosis: of its input, late in the run.
        top_channel_share: of its input's energy, late in the run.
        overflow_margin: of its input, in bits, the least late in the run.
    """

    parameter: str
    verdict: Verdict = Verdict.UNKNOWN
    course: Course | None = None
    head: int | None = None
    pace: Pace | None = None
    pace_ratio: float | None = None
    pace_low: float | None = None
    pace_high: float | None = None
    gain: float | None = None
    largest_logit: float | None = None
    channel_kurtosis: float | None = None
    top_channel_share: float | None = None
    overflow_margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityGroup(Group):
    """The blocks of one layer.

    Attributes:
        logits: largest bound of attention logits late in the run.
        seen: largest attention logit that was seen, late in the run.
        stream_rms: root mean square of what its norms read, late in the run.
        verdicts: number of blocks of each verdict.
    """

    logits: float | None = None
    seen: float | None = None
    stream_rms: float | None = None
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike(Group):
    """A rise of the loss that its past does not explain, and what moved before it.

    Attributes:
        step: at which it begins.
        height: loss there over the median before.
        moved: block and measure that left its course first; ``None`` where none did.
        moved_at: step of that sample.
        chance: that something has left its course at a step, by the earlier ones.
    """

    step: int
    height: float
    moved: str | None = None
    moved_at: int | None = None
    chance: float | None = None

    @property
    def lead(self) -> int | None:
        """Steps from there to the spike."""
        return None if self.moved_at is None else self.step - self.moved_at


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTrend(Group):
    """Where the loss goes.

    Attributes:
        course: over the second half of the run.
    """

    course: LossCourse


Grouped = StabilityGroup | Spike | LossTrend
"""What a finding on stability groups."""
