"""The finding on runs whose growth, paces and losses are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from spectrain.answers import stability
from spectrain.answers.stability.growth import course
from spectrain.answers.stability.page import part
from spectrain.answers.stability.row import Indicator, LossTrend, Spike, StabilityGroup
from spectrain.answers.stability.spikes import spike_places
from spectrain.core import Block, Record, Role, Source
from spectrain.records import Run, RunWriter, open_run
from support.synthetic_run import make_block

STEPS = range(0, 300, 5)
QUERY = "layers.{}.attn.query.weight"
Series = Callable[[int], float]
Recorded = dict[tuple[str, str, str], Series]
"""By block, source and measure."""


def blocks(layers: int = 3) -> list[Block]:
    return [
        make_block(f"layers.{depth}.{name}", role, depth, (64, 64))
        for depth in range(layers)
        for name, role in (
            ("attn.query.weight", Role.ATTENTION_Q),
            ("attn.output.weight", Role.ATTENTION_O),
        )
    ]


def write(path: Path, series: Recorded, loss: Iterable[float] = ()) -> Run:
    """A run of these series, by block, source and measure; with 3 % of noise of its own each."""
    writer = RunWriter(path, manifest={"blocks": [block.to_dict() for block in blocks()]})
    generator = np.random.default_rng(0)
    rows = []
    for (block, source, measure), value in series.items():
        noise = np.exp(0.03 * generator.standard_normal(len(STEPS)))
        index = 2 if measure == "logit_bound" else None
        rows += [
            Record(s, block, Source(source), measure, value(s) * e, None, 100, index=index)
            for s, e in zip(STEPS, noise, strict=True)
        ]
    rows += [Record(s, None, Source.TRAINING, "loss", float(v)) for s, v in enumerate(loss)]
    writer.write(sorted(rows, key=lambda row: row.step))
    writer.close({"finished": True, "steps": len(STEPS)})
    return open_run(path)


def level(size: float) -> Series:
    return lambda step: size


def growing(size: float, rate: float) -> Series:
    return lambda step: size * float(np.exp(rate * step))


def gains(**moving: Series) -> Recorded:
    names = [block.name for block in blocks()]
    return {(name, "weight", "operator_norm"): moving.get(name, level(2.0)) for name in names}


def by_name(finding):
    return {row.block: row for row in finding.rows}


def test_level_weights_are_steady(tmp_path):
    finding = stability(write(tmp_path / "run", gains()))
    assert {row.verdict for row in finding.rows} == {"steady"}
    assert (finding.sign, finding.status) == ("good", "answered")
    assert finding.sentence == "Nothing in 6 blocks grows towards its limit."
    assert finding.action == "Nothing to change."


def test_growth_is_dated_and_its_interval_holds_the_truth(tmp_path):
    """From 2 by 0.5 % a step: the limit 10·2.0·e^(0.005·37) is passed at step 498."""
    name = QUERY.format(1)
    finding = stability(write(tmp_path / "run", gains(**{name: growing(2.0, 0.005)})))
    row = by_name(finding)[name]
    assert row.verdict == "growing"
    assert row.course.earliest < 498 < row.course.latest
    assert row.course.low < 0.005 < row.course.high
    assert finding.sign == "act"
    assert name in finding.sentence
    assert "weight decay" in finding.action
    assert sum(row.verdict == "growing" for row in finding.rows) == 1


def test_growth_that_levels_off_is_no_growth(tmp_path):
    name = QUERY.format(0)
    run = write(tmp_path / "run", gains(**{name: lambda s: 2 + 8 * (1 - np.exp(-s / 60))}))
    assert by_name(stability(run))[name].verdict == "steady"


def test_what_starts_at_zero_is_held_against_its_shape(tmp_path):
    """A projection that starts at nothing and grows to the size of the others."""
    name = QUERY.format(2)
    run = write(tmp_path / "run", gains(**{name: lambda s: 1e-3 + 2 * (1 - np.exp(-s / 90))}))
    row = by_name(stability(run))[name]
    assert (row.verdict, row.course.limit) == ("steady", 10.0)


def test_logits_past_their_limit_are_an_alarm_that_names_the_head(tmp_path):
    """Inputs of mean square 64: ‖A‖_F² = 6,400 of 100 columns; 64·200 is more than 10⁴.

    The value at the end of a line through 20 samples of 7 % noise has an error of 3 %.
    """
    name = QUERY.format(1)
    series = gains()
    for depth, bound in enumerate((1.0, 200.0, 2.0)):
        series[QUERY.format(depth), "weight", "logit_bound"] = level(bound)
        series[QUERY.format(depth), "input", "frobenius_norm"] = level(80.0)
    finding = stability(write(tmp_path / "run", series))
    row = by_name(finding)[name]
    assert (row.verdict, row.head, row.course.indicator) == ("alarm", 2, Indicator.LOGITS)
    assert row.course.value == pytest.approx(12_800, rel=0.1)
    assert f"the bound of the logits of {name} (head 2)" in finding.statement.lower()
    assert "QK norm" in finding.action
    layers = {g.depth: g for g in finding.groups if isinstance(g, StabilityGroup)}
    assert layers[2].logits == pytest.approx(128, rel=0.1)
    assert layers[1].verdicts == {"alarm": 1, "steady": 1}


def test_a_shrinking_margin_to_overflow_is_growth(tmp_path):
    name = QUERY.format(0)
    run = write(tmp_path / "run", {(name, "input", "overflow_margin"): lambda s: 6 - 0.012 * s})
    row = by_name(stability(run))[name]
    assert (row.verdict, row.course.indicator) == ("growing", Indicator.RANGE)
    assert row.course.passes == pytest.approx(500, abs=25)
    assert "bfloat16" in stability(run).action


def test_paces_are_held_against_the_median_block(tmp_path):
    series = {(b.name, "update", "rms_gain"): level(1e-3) for b in blocks()}
    fast, slow = QUERY.format(0), QUERY.format(2)
    series[fast, "update", "rms_gain"] = level(2e-2)
    series[slow, "update", "rms_gain"] = level(5e-5)
    finding = stability(write(tmp_path / "run", gains() | series))
    rows = by_name(finding)
    assert (rows[fast].pace, rows[slow].pace) == ("fast", "slow")
    assert rows[fast].pace_low < 20 < rows[fast].pace_high
    assert sum(row.pace == "even" for row in finding.rows) == 4
    assert finding.sign == "watch"
    assert any(f"0.05, '{fast}'" in line for line in finding.advice)


def test_a_spike_is_dated_with_what_moved_first(tmp_path):
    loss = 2 + 0.05 * np.random.default_rng(1).standard_normal(300)
    loss[250:256] += 1.5
    name = QUERY.format(1)
    series = gains() | {(name, "gradient", "frobenius_norm"): lambda s: 1.0 if s < 235 else 30.0}
    finding = stability(write(tmp_path / "run", series, loss))
    (spike,) = [group for group in finding.groups if isinstance(group, Spike)]
    assert (spike.step, spike.moved_at) == (250, 235)
    assert spike.moved == f"gradient/frobenius_norm of {name}"
    assert finding.sign == "watch"


@pytest.mark.parametrize(
    ("slope", "sign", "words"),
    [
        (-0.01, "good", "grows towards its limit."),
        (0.0, "good", "but the loss shows no trend over the second half of the run, at 2"),
        (0.01, "watch", "but the loss rises over the second half of the run, from 4 to 4.71."),
    ],
)
def test_the_course_of_the_loss_is_told(tmp_path, slope, sign, words):
    loss = 2 + 0.05 * np.random.default_rng(3).standard_normal(300) + slope * np.arange(300)
    finding = stability(write(tmp_path / "run", gains(), loss))
    assert finding.sign == sign
    assert words in finding.sentence
    (trend,) = [group.course for group in finding.groups if isinstance(group, LossTrend)]
    assert trend.after == pytest.approx(2 + 265 * slope, abs=0.1)


def test_what_ceased_to_be_finite_is_not_good(tmp_path):
    loss = [2.0] * 150 + [float("nan")] * 150
    finding = stability(write(tmp_path / "run", gains(), loss))
    assert finding.sign == "act"
    assert finding.sentence == (
        "The logged loss is not finite (NaN or infinite) at step 150. "
        "Nothing in 6 blocks grew towards its limit before."
    )
    assert "before step 150" in finding.action


def test_a_single_high_loss_is_no_spike():
    loss = 2 + 0.05 * np.random.default_rng(2).standard_normal(200)
    loss[120] += 3
    assert list(spike_places(loss)) == []


def test_too_few_samples_say_what_would_do(tmp_path):
    finding = stability(write(tmp_path / "run", {}))
    assert (finding.status, finding.sign) == ("not enough data", "not enough data")
    assert "weight/operator_norm" in finding.action
    assert course(Indicator.GAIN, np.arange(5.0), np.ones(5), 10.0) is None


def test_the_page_has_what_is_nearest_first(tmp_path):
    name = QUERY.format(1)
    run = write(tmp_path / "run", gains(**{name: growing(2.0, 0.005)}))
    made = part(run, run.blocks, stability(run))
    assert made.data[0]["verdict"] == "growing"
    assert made.data[0]["curves"][0]["values"][-1] < 0
    assert "stability-chart" in "".join(made.body)
    assert name in "".join(made.body).replace("<wbr>", "")
    empty = write(tmp_path / "empty", {})
    assert "Not enough data" in part(empty, empty.blocks, stability(empty)).body[0]


def test_samples_of_what_can_grow_are_counted_and_no_others(tmp_path):
    name, few = QUERY.format(0), range(3)
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [b.to_dict() for b in blocks()]})
    writer.write(
        [
            *(Record(s, name, Source.GRADIENT, "frobenius_norm", 1.0) for s in STEPS),
            *(Record(s, name, Source.WEIGHT, "operator_norm", 2.0) for s in few),
        ]
    )
    writer.close({})
    row = by_name(stability(open_run(tmp_path / "run")))[name]
    assert row.reason == "3 samples, 8 are needed"


def test_logits_that_were_seen_count_in_place_of_their_bound(tmp_path):
    """The bound is past the limit, and what was seen grows towards it."""
    name = QUERY.format(1)
    series = gains() | {
        (name, "weight", "logit_bound"): level(1e4),
        (name, "input", "frobenius_norm"): level(80.0),
        (name, "input", "max_logit"): lambda s: 10 * np.exp(0.02 * s),
    }
    finding = stability(write(tmp_path / "run", series))
    row = by_name(finding)[name]
    assert (row.verdict, row.course.indicator) == ("growing", Indicator.SEEN)
    assert "largest logit" in finding.sentence
    assert "QK norm" in next(iter(finding.advice))
    layers = {group.depth: group for group in finding.groups if hasattr(group, "depth")}
    assert layers[1].seen > 1000
    assert layers[1].logits > layers[1].seen


def test_spikes_and_logits_that_were_seen_are_on_the_page_and_in_words(tmp_path):
    loss = 2 + 0.05 * np.random.default_rng(1).standard_normal(300)
    loss[250:256] += 1.5
    name = QUERY.format(1)
    series = gains() | {
        (name, "gradient", "frobenius_norm"): lambda s: 1.0 if s < 235 else 30.0,
        (name, "input", "max_logit"): level(7.5),
    }
    run = write(tmp_path / "run", series, loss)
    finding = stability(run)
    assert "15 steps before, at step 235" in finding.statement
    assert "attention logit that was seen late in the run is 7" in finding.statement
    shown = "".join(map(str, part(run, run.blocks, finding).body))
    spikes = shown[shown.index('id="loss-spikes"') :]
    for told in ("250", "gradient/frobenius_norm of", "235", "15"):
        assert told in spikes
    assert "Logits, seen" in shown
