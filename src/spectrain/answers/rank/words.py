"""The rank finding in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spectrain.answers.finding import Sign
from spectrain.answers.loss import Direction, LossCourse
from spectrain.answers.phrases import among, join, missing_data, plural
from spectrain.answers.rank.health import State
from spectrain.answers.rank.row import RankGroup, RankRow, Verdict
from spectrain.answers.rank.stagnation import FEWEST, Link
from spectrain.answers.trend import ENOUGH

_SURE = 24  # samples from which on the false-positive rate was measured to be as nominal
LOW = 0.05
"""Share of full rank below which a falling rank calls for action."""

_LOSS = {
    Direction.FALLING: "the loss still falls",
    Direction.LEVEL: "the loss shows no trend",
    Direction.RISING: "the loss rises",
}

Rows = Sequence[RankRow]


def brief(rows: Rows, broken: int | None, loss: LossCourse | None) -> dict[str, Any]:
    """Sign, sentence and action: what is broken before what falls."""
    judged = [row for row in rows if row.verdict is not Verdict.UNKNOWN]
    falling = [row for row in judged if row.verdict is Verdict.FALLING]
    first = _first_broken(rows, broken)
    if first is not None:
        sentence = _not_finite(rows, broken)
        action = (
            f"Look at step {first:,}: restart from a snapshot before it with a lower learning rate "
            "or clipping."
        )
        return {"sign": Sign.ACT, "sentence": sentence, "action": action}
    if wild := _in_state(rows, State.EXPLODING):
        sentence = f"The gradient of {_named(wild)} grew a hundredfold while the loss did not fall."
        return {
            "sign": Sign.ACT,
            "sentence": sentence,
            "action": "Lower the learning rate, or clip.",
        }
    if dead := _in_state(rows, State.DEAD):
        return {
            "sign": Sign.ACT,
            "sentence": f"{_named(dead)} had no gradient in the last third of the run.",
            "action": "Look for units that never fire, or a branch that nothing reads.",
        }
    if not judged:
        return {
            "sign": Sign.NOT_ENOUGH_DATA,
            "sentence": statement(rows, broken),
            "action": f"Train until {ENOUGH} steps are sampled, or sample more often (every=…).",
        }
    if falling:
        low = [row for row in falling if row.late is not None and row.late < LOW]
        return {
            "sign": Sign.ACT if low else Sign.WATCH,
            "sentence": (
                f"The effective rank falls in {len(falling):,} of {plural(len(judged), 'block')} "
                f"({_from_to(falling)})."
            ),
            "action": _lowest(falling, loss),
        }
    return {
        "sign": Sign.GOOD,
        "sentence": f"No gradient of {plural(len(judged), 'block')} collapses in rank.",
        "action": "",
    }


def _lowest(falling: Rows, loss: LossCourse | None) -> str:
    """The block to look at, and whether learning goes on."""
    late, block = min((row.late or 0.0, row.block) for row in falling)
    known = _LOSS[loss.direction] if loss else "log the loss to see whether learning goes on"
    return f"Look at {block}, the lowest at {late:.0%} of full rank; {known}."


def statement(rows: Rows, broken: int | None = None) -> str:
    """How many gradients fall in rank, by how much, and how many rise."""
    first = f"{_not_finite(rows, broken)} " if _first_broken(rows, broken) is not None else ""
    count = Counter(row.verdict for row in rows)
    unknown = count.pop(Verdict.UNKNOWN, 0)
    if not count:
        return first + missing_data(rows)
    parts = []
    for verdict, verb in ((Verdict.FALLING, "falls"), (Verdict.RISING, "rises")):
        if chosen := [row for row in rows if row.verdict is verdict]:
            parts.append(f"it {verb} in {len(chosen):,} ({_from_to(chosen)})")
    if count[Verdict.NO_TREND]:
        parts.append(f"there is no trend beyond noise in {count[Verdict.NO_TREND]:,}")
    missing = f" (not enough data for {unknown:,})" if unknown else ""
    return f"{first}Of {plural(len(rows), 'block')}{missing}, {join(parts)}."


def confidence(judged: Rows) -> str:
    """What the test is."""
    if not judged:
        return ""
    return (
        "Rank trend with moving-block bootstrap, so that autocorrelated noise does not pass for a "
        f"trend; false discovery rate 5 % over {plural(len(judged), 'block')}, "
        f"{max(row.samples for row in judged):,} samples after the first twentieth of the run."
    )


def advice(judged: Rows, groups: Sequence[RankGroup]) -> Iterator[str]:
    """Where to look."""
    falling = [row for row in judged if row.verdict is Verdict.FALLING]
    if falling:
        yield f"Falling: {among(falling, judged)}."
        late, worst = min((row.late or 0.0, row.block) for row in falling)
        yield (
            f"The lowest is {worst}, at {late:.0%} of full rank: few directions "
            "carry its gradient, which is where orthonormalised updates differ most from it."
        )
    steep = sorted(
        group.depth
        for group in groups
        if group.depth is not None and group.verdict is Verdict.FALLING
    )
    if steep:
        numbers = join([str(depth) for depth in steep])
        yield f"By depth, the median block falls in layer{'s' * (len(steep) > 1)} {numbers}."
    if judged and not falling:
        yield "No collapse to act on."


def health_advice(rows: Rows, broken: int | None = None) -> Iterator[str]:
    """Blocks that are broken, do not learn, learn too wildly, or move in few directions."""
    if _first_broken(rows, broken) is not None:
        yield _not_finite(rows, broken)
    if dead := _in_state(rows, State.DEAD):
        yield (
            f"Dead: {_named(dead)} had no gradient in the last third of the run; look for units "
            "that never fire, or a branch that nothing reads."
        )
    if wild := _in_state(rows, State.EXPLODING):
        yield (
            f"Exploding: the gradient of {_named(wild)} grew a hundredfold while the loss did not "
            "fall; lower the learning rate or clip."
        )
    if narrow := [row for row in rows if row.low_rank_update]:
        _, lowest = min((row.update_share or 0.0, place) for place, row in enumerate(narrow))
        row = narrow[lowest]
        yield (
            f"Updates of low rank: {among(narrow, rows)}; lowest in {row.block}, whose "
            f"weights move in {row.update_rank:.1f} directions of {min(row.shape)}."
        )


def limits(judged: Rows, loss: LossCourse | None, pace: Link | None = None) -> Iterator[str]:
    """What a trend in rank does not say."""
    if judged:
        yield _sampling_noise(judged)
    if loss is None:
        yield (
            "Not enough data to say whether learning stagnates along with it: "
            f"log the loss at {2 * ENOUGH} steps or more (run.log(loss=…))."
        )
    elif judged:
        yield (
            f"{_LOSS[loss.direction].capitalize()} over the second half of the run; "
            "that both move together says nothing about cause."
        )
        yield _with_pace(pace)
    if judged and min(row.samples for row in judged) < _SURE:
        yield (
            f"With fewer than {_SURE} samples, strongly autocorrelated noise passes for a trend "
            "more often than one time in twenty."
        )
    if judged:
        yield "No trend found is not proof of none: few or noisy samples hide slow ones."


def _sampling_noise(judged: Rows) -> str:
    """How much of the rank is the minibatch's."""
    known = [
        (row.late, row.late_signal)
        for row in judged
        if row.late is not None and row.late_signal is not None
    ]
    if not known:
        return (
            "Sampling noise raises the effective rank, most where batches are small: part of every "
            "share is the batch's. Replicas of the gradient (3 accumulated microbatches or more) "
            "would tell how much."
        )
    raw, signal = (float(np.median(side)) for side in zip(*known, strict=True))
    return (
        f"Sampling noise raises the effective rank: in {plural(len(known), 'block')} with replicas "
        f"{raw:.0%} of full rank late in the run become {signal:.0%} once noise is taken out "
        "(medians, white noise assumed)."
    )


def _with_pace(pace: Link | None) -> str:
    if pace is None:
        return (
            f"Fewer than {FEWEST} samples with a logged loss, or courses without fluctuations: not "
            "enough to compare the pace of learning with the rank."
        )
    numbers = f"r = {pace.correlation:.2f}, p = {pace.p_value:.2g} against placebos"
    if not pace.found:
        return (
            "Pace of learning and rank of the median block are not seen to go together beyond "
            f"their courses: {numbers}."
        )
    order = {True: "before", False: "after"}[pace.lag > 0]
    when = f", rank {abs(pace.lag)} samples {order}" if pace.lag else ""
    way = "slower" if pace.correlation > 0 else "faster"
    return (
        "The pace of learning goes with the rank of the median block from sample to sample, "
        f"the lower the rank, the {way}: {numbers}{when}."
    )


def _first_broken(rows: Rows, loss: int | None) -> int | None:
    steps = [row.not_finite_at for row in rows if row.not_finite_at is not None]
    return min([*steps, *([] if loss is None else [loss])], default=None)


def _not_finite(rows: Rows, loss: int | None) -> str:
    broken = [row for row in rows if row.not_finite_at is not None]
    parts = [] if loss is None else [f"the loss from step {loss:,} on"]
    if broken:
        first = min(row.not_finite_at for row in broken if row.not_finite_at is not None)
        parts.append(f"the gradient of {_named(broken)} from sampled step {first:,} on")
    return f"Not finite (NaN or Inf): {join(parts)}."


def _in_state(rows: Rows, state: State) -> list[RankRow]:
    return [row for row in rows if row.state is state]


def _named(rows: Rows) -> str:
    names = [row.block for row in rows]
    return join(names) if len(names) <= 3 else f"{join(names[:2])} and {len(names) - 2:,} more"


def _from_to(rows: Rows) -> str:
    early, late = (
        float(np.median([getattr(row, key) for row in rows])) for key in ("early", "late")
    )
    return f"median block from {early:.0%} to {late:.0%} of full rank"
