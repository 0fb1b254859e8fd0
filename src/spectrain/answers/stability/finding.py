"""Stability: whether something grows towards trouble, and whether layers keep the same pace.

Of each block the largest singular value, the bound of its attention logits and the room that its
input has left in the range of its precision are followed on a logarithmic scale. What the late
samples' rate leads to within as many steps as were recorded is *growing*, with the step at which it
passes its limit; what has passed it is an *alarm*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spectrain.answers.discoveries import q_values
from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.loss import LossCourse, loss_course
from spectrain.answers.phrases import plural
from spectrain.answers.stability import words
from spectrain.answers.stability.growth import course, late
from spectrain.answers.stability.indicators import Samples, read_indicators, watched
from spectrain.answers.stability.pace import Paced, paces
from spectrain.answers.stability.row import (
    Course,
    Grouped,
    Indicator,
    LossTrend,
    StabilityGroup,
    StabilityRow,
    Verdict,
)
from spectrain.answers.stability.spikes import spikes
from spectrain.answers.trend import ENOUGH, LEVEL
from spectrain.core import Block
from spectrain.records import Run, first_not_finite

HEADS = {Indicator.LOGITS: "logits", Indicator.SEEN: "seen"}
"""Series that hold one value a head."""

QUESTION = "Does something grow towards trouble, and do the layers learn at the same pace?"


def stability(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[StabilityRow, Grouped]:
    """Compare what may grow in every block with its limit, at its late rate.

    Limits: ten times the largest singular value of the start (or √(m/n) where that is more), 10⁴
    for the logits that inputs of the measured mean square can make, the largest number of an
    input's precision. The rate is the slope of the logarithm over the last third of the samples; a
    block is *growing* where "the limit is not passed within as many steps as were recorded" is
    refuted, with the false discovery rate held at 5 % over all courses of the run.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block, a group for every layer, one for each spike of the
        loss, and one for its trend.

    Source:
        Wortsman et al. 2023, arXiv:2309.14322, §3 (logits, and growth that predicts instability);
        Yang, Simon & Bernstein 2023, arXiv:2310.17813 (pace and shape).
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    series = read_indicators(run)
    decided = decide(chosen, series)
    paced = paces(chosen, series)
    rows = tuple(_row(block, decided.get(block.name), paced, series) for block in chosen)
    judged = [row for row in rows if row.verdict is not Verdict.UNKNOWN]
    spiked = spikes(run, chosen, series)
    training = words.Training(loss_course(run), first_not_finite(run))
    return Finding(
        name="stability",
        question=QUESTION,
        status=Status.ANSWERED if judged else Status.NOT_ENOUGH_DATA,
        sign=words.sign(rows, spiked, training),
        sentence=words.sentence(rows, training),
        action=words.action(rows, spiked, training),
        statement=words.statement(rows, spiked, training),
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=rows,
        groups=(*_by_depth(chosen, rows, series), *spiked, *_loss(training.loss)),
        advice=tuple(words.advice(rows, spiked, training)),
        limits=tuple(words.limits(rows)),
    )


def decide(
    blocks: Sequence[Block], series: Mapping[str, Samples]
) -> dict[str, tuple[Verdict, Course]]:
    """The gravest verdict of each block that has enough samples, and the course that gives it.

    Args:
        blocks: the blocks to judge.
        series: of :func:`~spectrain.answers.stability.indicators.read_indicators`.
    """
    made = {block.name: [*_courses(block, series)] for block in blocks}
    q_value = iter(q_values([one.p_value for own in made.values() for one in own]))
    tested = {
        name: [replace(one, q_value=float(next(q_value))) for one in own]
        for name, own in made.items()
    }
    return {name: _gravest(own) for name, own in tested.items() if own}


def _courses(block: Block, series: Mapping[str, Samples]) -> Iterator[Course]:
    for one in watched(block, series):
        made = course(one.indicator, one.steps, one.values, one.limit)
        if made is not None:
            yield made


def _row(
    block: Block,
    decided: tuple[Verdict, Course] | None,
    paced: Mapping[str, Paced],
    series: Mapping[str, Samples],
) -> StabilityRow:
    known: dict[str, Any] = {
        **about(block),
        "parameter": block.parameter,
        **_sizes(block, series),
    }
    if (pace := paced.get(block.name)) is not None:
        known |= {
            "pace": pace.pace,
            "pace_ratio": pace.ratio,
            "pace_low": pace.low,
            "pace_high": pace.high,
        }
    if decided is None:
        return StabilityRow(**known, reason=_missing(block, series))
    verdict, decisive = decided
    if (key := HEADS.get(decisive.indicator)) is not None:
        known["head"] = series[key][block.name]["index"][-1]
    return StabilityRow(**known, verdict=verdict, course=decisive)


def _gravest(courses: Sequence[Course]) -> tuple[Verdict, Course]:
    nearest = max(courses, key=lambda one: one.value / one.limit)
    if nearest.past:
        return Verdict.ALARM, nearest
    growing = [one for one in courses if (one.q_value or 0.0) <= 1 - LEVEL and one.rate > 0]
    if growing:
        return Verdict.GROWING, min(growing, key=lambda one: one.passes or np.inf)
    return Verdict.STEADY, nearest


def _missing(block: Block, series: Mapping[str, Samples]) -> str:
    if block.view.diagonal and block.name not in series["margin"]:
        return "it is a vector, and what feeds it is not recorded"
    samples = max((len(one.values) for one in watched(block, series)), default=0)
    if not samples:
        return "neither its weights nor its input are recorded"
    return f"{plural(samples, 'sample')}, {ENOUGH} are needed"


def _sizes(block: Block, series: Mapping[str, Samples]) -> dict[str, float]:
    """Numbers late in the run that no limit is known for."""
    sizes = {}
    for key, name in (
        ("gain", "gain"),
        ("seen", "largest_logit"),
        ("kurtosis", "channel_kurtosis"),
        ("share", "top_channel_share"),
    ):
        if (samples := series[key].get(block.name)) is not None:
            sizes[name] = float(np.median(late(samples["value"].to_numpy())))
    if (samples := series["margin"].get(block.name)) is not None:
        sizes["overflow_margin"] = float(late(samples["value"].to_numpy()).min())
    return sizes


def _loss(course: LossCourse | None) -> list[LossTrend]:
    return [] if course is None else [LossTrend(blocks=0, course=course)]


def _by_depth(
    blocks: Sequence[Block], rows: Sequence[StabilityRow], series: Mapping[str, Samples]
) -> list[StabilityGroup]:
    groups = []
    for depth in sorted({block.depth for block in blocks if block.depth is not None}):
        members = [(b, row) for b, row in zip(blocks, rows, strict=True) if b.depth == depth]
        logits, seen = (
            [_late_logits(block, series, which) for block, _ in members]
            for which in (Indicator.LOGITS, Indicator.SEEN)
        )
        streams = [
            float(np.median(late(series["stream"][b.name]["value"].to_numpy())))
            for b, _ in members
            if b.name in series["stream"]
        ]
        groups.append(
            StabilityGroup(
                depth=depth,
                blocks=len(members),
                logits=max((one for one in logits if one is not None), default=None),
                seen=max((one for one in seen if one is not None), default=None),
                stream_rms=max(streams, default=None),
                verdicts={str(v): n for v, n in Counter(r.verdict for _, r in members).items()},
            )
        )
    return groups


def _late_logits(block: Block, series: Mapping[str, Samples], which: Indicator) -> float | None:
    hidden: dict[str, Samples] = {"seen": {}} if which is Indicator.LOGITS else {}
    for one in watched(block, {**series, **hidden}):
        if one.indicator is which and len(one.values):
            return float(np.median(late(one.values)))
    return None
