"""The stability finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spectrain.answers.finding import Sign
from spectrain.answers.loss import Direction, LossCourse
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.answers.stability.indicators import LOGITS
from spectrain.answers.stability.pace import FACTOR
from spectrain.answers.stability.row import Course, Indicator, Pace, Spike, StabilityRow, Verdict
from spectrain.answers.trend import ENOUGH
from spectrain.page.format import percent
from spectrain.records import NotFinite

Rows = Sequence[StabilityRow]
Spikes = Sequence[Spike]

_OF_LOGITS = (
    "normalise queries and keys (QK norm, arXiv:2302.05442) or clip their weights (QK-Clip, "
    "arXiv:2507.20534), or lower the rate or lengthen warm-up (arXiv:2309.14322)"
)

REMEDIES = {
    Indicator.SEEN: _OF_LOGITS,
    Indicator.LOGITS: _OF_LOGITS,
    Indicator.GAIN: (
        "lower the rate of these blocks or raise their weight decay, which bounds the norm that "
        "steps can reach (arXiv:2305.17212); of a head, z-loss holds the logits (arXiv:2204.02311)"
    ),
    Indicator.RANGE: (
        "compute these layers in bfloat16, whose range is that of float32, or normalise what feeds "
        "them"
    ),
}
"""What the literature shows to help."""

FEW = 3
"""Blocks that are named one by one."""

OUTLYING = 0.5
"""Share of an input's energy in a hundredth of its channels from which on precision is at stake."""


@dataclass(frozen=True, slots=True)
class Training:
    """How the training itself went.

    Attributes:
        loss: over the second half.
        broken: where something ceased to be finite.
    """

    loss: LossCourse | None = None
    broken: NotFinite | None = None

    @property
    def rises(self) -> bool:
        """Whether the loss does, in the second half."""
        return self.loss is not None and self.loss.direction is Direction.RISING


NOTHING = Training()


def sentence(rows: Rows, training: Training = NOTHING) -> str:
    """How many blocks are in which state, and how the loss goes where nothing grows."""
    standing = _standing(rows, ended=training.broken is not None)
    grave = _of(rows, Verdict.ALARM) or _of(rows, Verdict.GROWING)
    if training.broken is not None:
        return f"{_capital(str(training.broken))}. {standing}"
    loss = training.loss
    if loss is None or grave or loss.direction is Direction.FALLING:
        return standing
    how, at = "shows no trend", f"at {loss.after:.3g}"
    if loss.direction is Direction.RISING:
        how, at = "rises", f"from {loss.before:.3g} to {loss.after:.3g}"
    return f"{standing[:-1]}, but the loss {how} over the second half of the run, {at}."


def _standing(rows: Rows, *, ended: bool) -> str:
    count = Counter(row.verdict for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        return missing_data(rows)
    parts = []
    if alarming := _of(rows, Verdict.ALARM):
        parts.append(f"{_worst(alarming)} is past its limit ({_many(alarming)})")
    if growing := _of(rows, Verdict.GROWING):
        parts.append(f"{_soonest(growing)} ({_many(growing)})")
    if not parts:
        verb, when = ("grew", " before") if ended else ("grows", "")
        steady = plural(count[Verdict.STEADY], "block")
        parts.append(f"nothing in {steady} {verb} towards its limit{when}")
    text = join(parts)
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    return f"{text[0].upper()}{text[1:]}{missing}."


def statement(rows: Rows, spikes: Spikes, training: Training = NOTHING) -> str:
    """How the blocks stand, which ones keep another pace, and where the loss rose."""
    parts = [sentence(rows, training)]
    for pace in (Pace.FAST, Pace.SLOW):
        if those := [row for row in rows if row.pace is pace]:
            parts.append(f"Learning too {_adverb(pace)} for their shape: {_named(those, rows)}.")
    parts += map(_spike, spikes)
    if seen := [row for row in rows if row.largest_logit is not None]:
        row = max(seen, key=lambda row: row.largest_logit or 0.0)
        parts.append(
            "The largest attention logit that was seen late in the run is "
            f"{row.largest_logit:.3g}, in {row.block}; beyond {LOGITS:,.0f} training was seen to "
            "diverge."
        )
    return " ".join(parts)


def sign(rows: Rows, spikes: Spikes, training: Training = NOTHING) -> Sign:
    """What the answer asks of its reader."""
    verdicts = {row.verdict for row in rows}
    if training.broken is not None:
        return Sign.ACT
    if verdicts <= {Verdict.UNKNOWN} and not spikes:
        return Sign.NOT_ENOUGH_DATA
    if verdicts & {Verdict.ALARM, Verdict.GROWING}:
        return Sign.ACT
    uneven = any(row.pace in (Pace.FAST, Pace.SLOW) for row in rows)
    return Sign.WATCH if uneven or spikes or training.rises else Sign.GOOD


def action(rows: Rows, spikes: Spikes, training: Training = NOTHING) -> str:
    """The one thing to do."""
    if training.broken is not None:
        return (
            f"Go back to a snapshot before step {training.broken.step:,}, with a lower learning "
            "rate or clipping."
        )
    if all(row.verdict is Verdict.UNKNOWN for row in rows):
        return (
            f"Record largest singular values (measure weight/operator_norm) at {ENOUGH} steps or "
            "more."
        )
    if sign(rows, spikes, training) is Sign.GOOD:
        return "Nothing to change."
    return next(advice(rows, spikes, training), "Look at where the loss rose.")


def advice(rows: Rows, spikes: Spikes, training: Training = NOTHING) -> Iterator[str]:
    """What to do about each kind of growth, and which change of rate a trial can test."""
    grave = [*_of(rows, Verdict.ALARM), *_of(rows, Verdict.GROWING)]
    for indicator, remedy in REMEDIES.items():
        those = [row for row in grave if row.course and row.course.indicator is indicator]
        if those:
            yield f"{_capital(indicator)} of {among(those, rows)}: {remedy}."
    if training.rises:
        yield "Fork a trial with a lower learning rate, or look for a change of the data."
    for row in rows:
        if row.pace in (Pace.FAST, Pace.SLOW) and row.pace_ratio:
            factor = 1 / row.pace_ratio
            yield (
                f"{row.block} learns {row.pace_ratio:.3g} times as fast as the median block: a "
                f"trial can test {factor:.2g} times its rate "
                f"(spectrain.trials.changes.rate(setup, {factor:.2g}, {row.parameter!r}))."
            )
    for spike in spikes:
        if spike.moved is not None:
            yield f"Before the spike at step {spike.step:,} look at {spike.moved}."
    outlying = [row for row in rows if (row.top_channel_share or 0.0) > OUTLYING]
    if outlying:
        yield (
            f"A hundredth of the channels holds most of what feeds {among(outlying, rows)}: in low "
            "precision the others round away (arXiv:2208.07339, arXiv:2405.19279)."
        )


def confidence(judged: Rows) -> str:
    """What the growth is compared with."""
    courses = [row.course for row in judged if row.course is not None]
    if not courses:
        return ""
    samples = max(one.samples for one in courses)
    return (
        f"Rates of the logarithm over the last third of the samples ({samples:,} at most), with "
        "errors that allow for autocorrelation; the false discovery rate over all courses is held "
        "at 5 %. Limits: ten times the singular value at the start (convention), logits of 10⁴ "
        "(arXiv:2309.14322), the range of the input's precision."
    )


def limits(rows: Rows) -> Iterator[str]:
    """What the answer does not cover."""
    unknown = Counter(row.reason for row in rows if row.verdict is Verdict.UNKNOWN)
    for reason, number in unknown.items():
        yield f"Not judged, {plural(number, 'block')}: {reason}."
    if sum(unknown.values()) == len(rows):
        return
    yield (
        "A rate is extrapolated as it is: a schedule that lowers it, or decay that catches up, "
        "stops the growth before the limit; a sudden instability gives no warning here."
    )
    if any(row.course and row.course.indicator is Indicator.LOGITS for row in rows):
        yield (
            "Logits are those that inputs of the mean square can make at distance 0, without "
            "biases, divided by √d: an upper bound on such inputs, not a maximum that was seen. "
            "Where attention is eager and not compiled, its logits are recorded themselves."
        )
    if any(row.pace for row in rows):
        yield (
            f"Paces within a factor of {FACTOR:g} of the median block are called even: optimizers "
            "and roles differ by less."
        )


def passing(course: Course | None) -> str:
    """When a course is at its limit, with the interval.

    Example:
        >>> from spectrain.answers.stability.growth import course
        >>> import numpy as np
        >>> steps = np.arange(60.0)
        >>> passing(course(Indicator.GAIN, steps, np.exp(0.05 * steps), limit=100.0))
        'step 92 (92 to 92)'
    """
    if course is None or course.past or course.passes is None:
        return ""
    low = "" if course.earliest is None else f"{course.earliest:,.0f}"
    high = "never" if course.latest is None else f"{course.latest:,.0f}"
    return f"step {course.passes:,.0f} ({low} to {high})"


def _spike(spike: Spike) -> str:
    text = f"The loss rose to {spike.height:.3g} times its median at step {spike.step:,}"
    if spike.moved is None:
        return f"{text}; nothing that is recorded left its course before it, beyond chance."
    return (
        f"{text}; first to leave its course was {spike.moved}, {plural(spike.lead or 0, 'step')} "
        f"before, at step {spike.moved_at:,} (by chance at {percent(spike.chance)} of the steps)."
    )


def _worst(rows: Rows) -> str:
    row = max(rows, key=lambda row: row.course.value / row.course.limit if row.course else 0.0)
    assert row.course is not None
    return f"the {row.course.indicator} of {row.block}{_head(row)}, {row.course.value:.3g},"


def _soonest(rows: Rows) -> str:
    row = min(rows, key=lambda row: (row.course and row.course.passes) or float("inf"))
    assert row.course is not None
    return (
        f"at its present rate the {row.course.indicator} of {row.block}{_head(row)} passes "
        f"{row.course.limit:.3g} at {passing(row.course)}"
    )


def _head(row: StabilityRow) -> str:
    logits = (Indicator.LOGITS, Indicator.SEEN)
    named = row.course is not None and row.course.indicator in logits and row.head
    return f" (head {row.head})" if named else ""


def _many(rows: Rows) -> str:
    return f"{plural(len(rows), 'block')} in all"


def _named(those: Rows, rows: Rows) -> str:
    """A few by name, more by role."""
    few = len(those) <= FEW
    return join([row.block for row in those]) if few else among(those, rows)


def _of(rows: Rows, verdict: Verdict) -> list[StabilityRow]:
    return [row for row in rows if row.verdict is verdict]


def _adverb(pace: Pace) -> str:
    return "fast" if pace is Pace.FAST else "slowly"


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
