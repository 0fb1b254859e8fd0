"""The page's section on stability: what stands nearest to its limits, and its course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log

import numpy as np
import polars as pl

from spectrain.answers.finding import Finding
from spectrain.answers.question import Part
from spectrain.answers.stability.indicators import read_indicators, watched
from spectrain.answers.stability.row import (
    VERDICTS,
    Grouped,
    Spike,
    StabilityGroup,
    StabilityRow,
    Verdict,
)
from spectrain.answers.stability.words import passing
from spectrain.core import Block
from spectrain.page.curves import Curve, thinned
from spectrain.page.elements import missing, verdict_chip
from spectrain.page.format import MISSING, number, percent
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import sortable
from spectrain.records import Run

MOST_BLOCKS = 50

_COLUMNS = (
    ("Block", "name of the parameter, or of the part of it that is the block"),
    ("Stability", "whether something in it grows towards a limit"),
    ("Decided by", "what is nearest to its limit, or passes it first"),
    ("Value", "at the last step, by the line through the late samples"),
    ("Limit", "that it should stay below"),
    ("Passes", "at its present rate, and the 95 % interval"),
    ("Pace", "‖ΔW x‖/‖x‖ (root mean squares) over that of the median block"),
    ("Kurtosis", "of the channels of its input; 1 if all are alike"),
    ("Top channels", "share of its input's energy in the largest hundredth of the channels"),
)

_DEPTHS = (
    ("Layer", "counted from 0"),
    ("Logits, bound", "largest that inputs of the mean square can make, late in the run"),
    ("Logits, seen", "largest on the steps' batches, late in the run; of eager attention alone"),
    ("Stream", "root mean square of what its norms read, late in the run"),
    ("Blocks", "that are steady, growing, alarming, or not judged"),
)

_SPIKES = (
    ("Spike at step", "where two successive losses first stand out from those before"),
    ("Loss", "times the median of the 32 losses before"),
    ("First to leave its course", "measure and block, before the spike and until then"),
    ("At step", "of the first sample outside its band"),
    ("Lead", "steps from there to the spike"),
    ("By chance", "that something is outside its band at a step, by the steps before"),
)


@dataclass(frozen=True, slots=True)
class NearLimit:
    """The course of what decides of one block, over its limit."""

    name: str
    verdict: str
    curves: list[Curve]


def part(run: Run, blocks: Sequence[Block], finding: Finding[StabilityRow, Grouped]) -> Part:
    """Chart and tables of the blocks that stand nearest to their limits."""
    title = "What stands nearest to its limit"
    nearest = sorted(
        (row for row in finding.rows if row.course is not None),
        key=lambda row: (row.verdict is Verdict.STEADY, -_nearness(row)),
    )[:MOST_BLOCKS]
    if not nearest:
        return Part(title, (missing(finding.statement),))
    data = [asdict(one) for one in read_courses(run, blocks, nearest)]
    depths = [group for group in finding.groups if isinstance(group, StabilityGroup)]
    spikes = [group for group in finding.groups if isinstance(group, Spike)]
    note = (
        "Logarithmic, over the limit: 1 is the limit itself. What is nearest to it is drawn first."
    )
    options = (
        element("option", f"{one['name']} ({one['verdict']})", value=place, data_block=one["name"])
        for place, one in enumerate(data)
    )
    body = (
        element("p", note, class_="note"),
        element(
            "p",
            element("label", "Block ", element("select", *options, id="stability-block")),
            class_="controls",
        ),
        element(
            "div",
            id="stability-chart",
            class_="chart",
            role="figure",
            aria_label="Course of the indicator over its limit",
        ),
        sortable(_COLUMNS, map(_row, nearest), id="stabilities", label="stability of the blocks"),
        sortable(_DEPTHS, map(_depth, depths), id="depths", label="stability by layer")
        if depths
        else "",
        sortable(_SPIKES, map(_spike, spikes), id="loss-spikes", label="spikes of the loss")
        if spikes
        else "",
    )
    return Part(title, tuple(filter(None, body)), data, over_steps=True)


def read_courses(
    run: Run, blocks: Sequence[Block], rows: Sequence[StabilityRow]
) -> list[NearLimit]:
    """The recorded course of each row's decisive indicator, over its limit."""
    series, by_name = read_indicators(run), {block.name: block for block in blocks}
    near = []
    for row in rows:
        for one in watched(by_name[row.block], series):
            if row.course is not None and one.indicator is row.course.indicator:
                over = pl.DataFrame({"step": one.steps, "value": np.log10(one.values / one.limit)})
                curve = thinned(str(one.indicator), over)
                curves = [Curve("course", str(one.indicator), curve.steps, curve.values, 1)]
                near.append(NearLimit(shorten(row.block), str(row.verdict), curves))
    return near


def _nearness(row: StabilityRow) -> float:
    assert row.course is not None
    return log(max(row.course.value, 1e-300)) - log(row.course.limit)


def _row(row: StabilityRow) -> Html:
    course = row.course
    assert course is not None
    return element(
        "tr",
        element("th", name(row.block), scope="row", data_block=shorten(row.block)),
        element("td", verdict_chip(row.verdict, VERDICTS[row.verdict].mark)),
        element("td", str(course.indicator)),
        _number(number(course.value)),
        _number(number(course.limit)),
        _number(passing(course) or MISSING),
        _number(number(row.pace_ratio, 2)),
        _number(number(row.channel_kurtosis)),
        _number(percent(row.top_channel_share)),
    )


def _depth(group: StabilityGroup) -> Html:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in group.verdicts.items())
    return element(
        "tr",
        element("th", str(group.depth), scope="row"),
        _number(number(group.logits)),
        _number(number(group.seen)),
        _number(number(group.stream_rms)),
        _number(counts),
    )


def _spike(spike: Spike) -> Html:
    return element(
        "tr",
        element("th", f"{spike.step:,}", scope="row", data_sort=spike.step),
        _number(number(spike.height)),
        element("td", "nothing, beyond chance" if spike.moved is None else name(spike.moved)),
        _number(MISSING if spike.moved_at is None else f"{spike.moved_at:,}"),
        _number(MISSING if spike.lead is None else f"{spike.lead:,}"),
        _number(percent(spike.chance)),
    )


def _number(text: str) -> Html:
    return element("td", text, class_="number")
