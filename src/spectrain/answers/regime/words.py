"""The regime finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp, isfinite
from statistics import median

from spectrain.answers.finding import Sign
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.answers.regime.judge import PASSED
from spectrain.answers.regime.row import ON_PATH, Memory, RegimeRow, Verdict
from spectrain.answers.twin import ENOUGH

Rows = Sequence[RegimeRow]
Memories = Sequence[Memory]

PHRASES = {
    Verdict.EQUILIBRIUM: "{} at the norm that noise and weight decay agree on",
    Verdict.BEHIND: "{} on the path of noise and decay, which the schedule led away from there",
    Verdict.APPROACHING: "{} on the way to it",
    Verdict.BELOW: "{} held below the norm that noise would make",
    Verdict.SIGNAL_DRIVEN: "{} driven by the signal",
    Verdict.UNDECIDED: "{} undecided",
}
FREE = "{} without weight decay that could set it"


def finite(value: float) -> float | None:
    """The value, unless it is NaN or infinite.

    Example:
        >>> finite(1.0), finite(float("nan"))
        (1.0, None)
    """
    return value if isfinite(value) else None


def sentence(rows: Rows, memories: Memories = ()) -> str:
    """How many blocks are in which regime, and the timescale that lies outside the guideline."""
    count = Counter(row.verdict for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        return missing_data(rows)
    free = sum(map(_free, rows))
    count[Verdict.UNDECIDED] -= free
    parts = [text.format(f"{count[key]:,}") for key, text in PHRASES.items() if count[key]]
    parts += [FREE.format(f"{free:,}")] if free else []
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    sentences = [f"Of {plural(len(rows), 'block')}{missing}: {join(parts)}."]
    outside = [memory for memory in memories if memory.guideline]
    return " ".join([*sentences, *map(_outside, outside[:1])])


def _free(row: RegimeRow) -> bool:
    """Whether a block has no decay and its norm cannot be told from noise."""
    return row.verdict is Verdict.UNDECIDED and not row.relaxations


def _outside(memory: Memory) -> str:
    return f"Weights of {memory.name} average {_runs(memory)}."


def _runs(memory: Memory) -> str:
    times = " times" if memory.share > 1 else " of"
    return f"{steps(memory.share)}{times} the recorded run"


def statement(rows: Rows, memories: Memories) -> str:
    """The regimes of the blocks, and the timescales of their decay."""
    return " ".join([sentence(rows), *map(timescale, memories)])


def timescale(memory: Memory) -> str:
    """The timescale of one parameter group, in every unit that is known."""
    units = [f"{steps(memory.steps)} steps", _runs(memory)]
    if memory.epochs is not None:
        units.append(f"{memory.epochs:.3g} epochs")
    if memory.tokens is not None:
        units.append(f"{memory.tokens:.3g} tokens")
    peak = f" (at the peak rate {steps(memory.peak_steps)} steps)" if memory.scheduled else ""
    return f"Weights of {memory.name} ({memory.optimizer}) average {join(units)}{peak}."


def steps(number: float) -> str:
    """A number of steps to three digits.

    Example:
        >>> steps(198_623.4), steps(51.66)
        ('199,000', '51.7')
    """
    return f"{float(f'{number:.3g}'):,.0f}" if number >= 100 else f"{number:.3g}"


def sign(rows: Rows, memories: Memories) -> Sign:
    """What the answer asks of its reader."""
    if all(row.verdict is Verdict.UNKNOWN for row in rows):
        return Sign.NOT_ENOUGH_DATA
    if any(memory.guideline for memory in memories):
        return Sign.WATCH
    if not _decided(rows):
        return Sign.NOT_ENOUGH_DATA
    watched = (Verdict.EQUILIBRIUM, Verdict.BEHIND)
    return Sign.WATCH if any(row.verdict in watched for row in rows) else Sign.GOOD


def _decided(rows: Rows) -> bool:
    """Whether anything is said of a block, if only that nothing decays it."""
    open_ones = (Verdict.UNKNOWN, Verdict.UNDECIDED)
    return any(row.verdict not in open_ones or _free(row) for row in rows)


def action(rows: Rows, memories: Memories) -> str:
    """The one thing to do."""
    if all(row.verdict is Verdict.UNKNOWN for row in rows):
        if rows and all((row.samples or 0) >= ENOUGH for row in rows):
            return "Register a rule for the optimizer (spectrain.optim.rules)."
        return f"Record norms of weights and updates at {ENOUGH} steps or more."
    if outside := [memory for memory in memories if memory.guideline]:
        return _guideline(outside[0])
    if settled := _of(rows, Verdict.EQUILIBRIUM):
        return f"Set the scale of {among(settled, rows)} by η/λ, and how fast it turns by ηλ."
    if behind := _of(rows, Verdict.BEHIND):
        return f"Expect a later change of rate or decay to show only slowly: {among(behind, rows)}."
    if any(row.verdict is Verdict.UNDECIDED and not _free(row) for row in rows):
        return _sufficient(rows)
    return "Nothing to change."


def _sufficient(rows: Rows) -> str:
    """How long the training must be for the norms to tell."""
    waiting = [row for row in _of(rows, Verdict.UNDECIDED) if not _free(row)]
    times = [row.relaxation_steps for row in waiting if row.relaxation_steps]
    if not times:
        return "Train on: the norms are too near to those of noise."
    passed = median(row.relaxations for row in waiting if row.relaxations)
    least = f"{steps(PASSED * median(times))} steps" if passed < PASSED else "longer"
    return f"To tell, train {least} at this decay: a relaxation takes {steps(median(times))} steps."


def confidence(judged: Rows) -> str:
    """What the norms are compared with."""
    if not judged:
        return ""
    measured = sum(bool(row.measured) for row in judged)
    sizes = (
        "of the measured size"
        if measured == len(judged)
        else (
            f"of the measured size in {measured:,} blocks and of that of the optimizer's theory in "
            f"{len(judged) - measured:,}"
        )
    )
    samples = max(row.samples or 0 for row in judged)
    tolerance = min(row.tolerance or 0.0 for row in judged)
    return (
        "Norms against the path that the optimizer's rule and recorded settings would make of "
        f"noise alone, with updates {sizes}, over {samples:,} recorded weights; on the path within "
        f"{tolerance:.0%} and more for small blocks."
    )


def advice(rows: Rows, memories: Memories) -> Iterator[str]:
    """What follows for learning rates, decay and multipliers."""
    judged = [row for row in rows if row.verdict is not Verdict.UNKNOWN]
    yield from map(_guideline, (memory for memory in memories if memory.guideline))
    yield from _schedule(judged, memories)
    settled = _of(judged, Verdict.EQUILIBRIUM)
    driven = _of(judged, Verdict.SIGNAL_DRIVEN)
    if settled:
        yield (
            f"Scale set by weight decay: {among(settled, judged)}. Their norm follows √(η/λ), and "
            f"a step turns them by {_angle(settled)} whatever the loss says."
        )
    held = [row for row in settled if row.kind == "matrix" and row.normalised is not True]
    if held:
        yield (
            "Where such a layer needs another scale than decay allows, consider a multiplier "
            f"(spectrain.optim.add_multipliers): {among(held, judged)}."
        )
    if driven:
        yield f"Following the signal: {among(driven, judged)}."
    if below := _of(judged, Verdict.BELOW):
        yield (
            f"Held below the norm that noise would make: {among(below, judged)}. The loss pulls "
            "their excursions back; weight decay does not set their scale."
        )
    shared = {row.group or "" for row in settled} & {row.group or "" for row in driven}
    if shared:
        yield (
            f"Both regimes share {join(sorted(shared))}: a separate learning rate or decay for the "
            "blocks that follow the signal would not move those that decay holds."
        )
    if approaching := _of(judged, Verdict.APPROACHING):
        times = median(row.relaxation_steps for row in approaching if row.relaxation_steps)
        yield (
            f"Still remembering their first weights: {among(approaching, judged)}; a relaxation "
            f"takes {steps(times)} steps at the mean rate of the run."
        )


def _guideline(memory: Memory) -> str:
    wanted = f"λ = {memory.wanted:.2g} instead of {memory.decay:.2g}"
    guideline = "(guideline of arXiv:2405.13698, at these rates)"
    if memory.guideline == "long":
        left = exp(-1 / memory.share)
        return (
            f"{memory.name}: decay leaves {left:.3g} of the first weights to the end of the run; "
            f"if it is meant to act, averaging over one run takes {wanted} {guideline}."
        )
    return (
        f"{memory.name}: weights average less than a tenth of a pass over the data; a tenth takes "
        f"{wanted} {guideline}."
    )


def _schedule(judged: Rows, memories: Memories) -> Iterator[str]:
    behind = _of(judged, Verdict.BEHIND)
    if not behind:
        return
    known = [row.norm / row.equilibrium for row in behind if row.norm and row.equilibrium]
    far = f", at {median(known):.3g} times that of the last rate (median)" if known else ""
    yield (
        f"Norms where earlier rates put them: {among(behind, judged)}{far}. The schedule moves "
        "faster than they relax, so a later change of rate or decay shows only slowly."
    )
    free = [row for row in behind if row.normalised and row.kind == "matrix"]
    if free and any(memory.scheduled for memory in memories):
        yield (
            "Where their output is normalised, decay that goes with the rate, λη/η_max, keeps "
            f"their equilibrium in place and gradients from rising near the end "
            f"(arXiv:2506.02285): {among(free, judged)}."
        )


def limits(rows: Rows) -> Iterator[str]:
    """What a norm on the path does not say."""
    unknown = Counter(row.reason for row in rows if row.verdict is Verdict.UNKNOWN)
    for reason, number in unknown.items():
        yield f"Not judged, {plural(number, 'block')}: {reason}."
    if len(unknown) and sum(unknown.values()) == len(rows):
        return
    if any(row.verdict in ON_PATH for row in rows):
        yield (
            "A norm on the twin's path says that the data did not set the scale; the direction may "
            "carry all that was learned."
        )
    if any(row.measured is False for row in rows):
        yield (
            "Gradients that are rarely anything but zero, such as those of rare tokens, make "
            "shorter updates than the dense noise of theory: record direction/frobenius_norm."
        )


def _of(rows: Rows, verdict: Verdict) -> list[RegimeRow]:
    return [row for row in rows if row.verdict is verdict]


def _angle(rows: Rows) -> str:
    angles = [row.angle for row in rows if row.angle is not None]
    return f"{median(angles):.2g} rad (median)" if angles else "a constant angle"
