"""What the first screen is made of: verdicts, marks on the loss chart, and axes beside steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spectrain.answers.finding import Finding, Label, Sign, Status
from spectrain.core import Record, Source
from spectrain.records import RunWriter, open_run
from spectrain.report.clock import read_clock
from spectrain.report.glossary import glossary, names_of, terms
from spectrain.report.milestones import milestones, read_gradient_norm, read_rates
from spectrain.report.strip import strip
from support.synthetic_run import gpt_blocks

BLOCKS = gpt_blocks(1)[1:3]


def write(path, rows, *, start=0, summary=None):
    manifest = {"blocks": [b.to_dict() for b in BLOCKS]}
    writer = RunWriter(path, manifest=manifest, start_step=start, resume=start > 0)
    writer.write(rows)
    writer.close({"finished": True} if summary is None else summary)
    return open_run(path)


def every_block(step, source, measure, value):
    return [Record(step, block.name, source, measure, value) for block in BLOCKS]


def test_tokens_and_time_are_running_totals(tmp_path):
    rows = [Record(s, None, Source.TRAINING, "tokens", 100.0) for s in range(11)]
    rows += [
        Record(s, None, Source.MONITOR, "training_seconds", v) for s, v in ((0, 2.0), (10, 1.0))
    ]
    clock = read_clock(write(tmp_path / "run", rows))
    assert (clock.tokens.steps[-1], clock.tokens.amounts[-1]) == (10, 1100.0)
    assert clock.seconds.amounts == [2.0, 2.0 + 10 * 1.5]  # the mean of what was timed
    assert read_clock(write(tmp_path / "none", [])).tokens is None


def test_what_happened_is_marked_at_its_step(tmp_path):
    rates = np.interp(np.arange(40), [0, 10, 20, 39], [1e-4, 1e-3, 1e-3, 1e-5])
    rows = [
        Record(s, "group 0.0", Source.OPTIMIZER, "learning_rate", float(v))
        for s, v in enumerate(rates)
    ]
    for step in range(40):
        norm = 10.0 if step == 25 else 1.0
        rows += every_block(step, Source.BACKWARD, "frobenius_norm", norm)
        rows += every_block(step, Source.GRADIENT, "frobenius_norm", norm / (2 if step > 30 else 1))
        rows += every_block(step, Source.GRADIENT, "effective_rank", 4.0 if step == 12 else 16.0)
        loss = float("nan") if step == 38 else 2.0
        rows.append(Record(step, None, Source.TRAINING, "loss", loss))
    found = {mark.kind: mark for mark in milestones(write(tmp_path / "run", rows), BLOCKS)}
    assert {kind: mark.step for kind, mark in found.items()} == {
        "warm-up ends": 10,
        "jump of the rank": 12,
        "decay begins": 20,
        "spike of the norm": 25,
        "clipping": 31,
        "not finite": 38,
    }
    assert "9 of 40 sampled steps were, by 0.50" in found["clipping"].text
    assert "6.2 % of full rank, 0.25 times" in found["jump of the rank"].text
    assert "10 times that of the samples around" in found["spike of the norm"].text


def test_a_quiet_run_has_no_mark_and_a_resumed_one_has(tmp_path):
    rows = [r for s in range(20) for r in every_block(s, Source.GRADIENT, "frobenius_norm", 1.0)]
    assert milestones(write(tmp_path / "run", rows), BLOCKS) == []
    again = write(tmp_path / "run", rows[-2:], start=15)
    (mark,) = milestones(again, BLOCKS)
    assert (mark.step, mark.kind) == (15, "resumed")
    assert "Start number 2" in mark.text


def test_the_norm_is_that_of_all_blocks_where_all_were_read(tmp_path):
    rows = [r for s in (0, 2) for r in every_block(s, Source.GRADIENT, "frobenius_norm", 3.0)]
    rows.append(Record(1, BLOCKS[0].name, Source.GRADIENT, "frobenius_norm", 3.0))
    norm = read_gradient_norm(write(tmp_path / "run", rows))
    assert norm["step"].to_list() == [0, 2]
    assert norm["value"].to_list() == pytest.approx([18**0.5] * 2)


def test_groups_of_one_rate_are_one_curve(tmp_path):
    rows = [
        Record(s, f"group 0.{g}", Source.OPTIMIZER, "learning_rate", v)
        for s in range(3)
        for g, v in enumerate((0.1, 0.1, 0.2))
    ]
    assert list(read_rates(write(tmp_path / "run", rows))) == ["group 0.0", "group 0.2"]


def test_what_is_to_be_done_comes_first():
    findings: list[Finding[Any, Any]] = [
        Finding(
            name=sign.name,
            question="?",
            status=Status.OPEN,
            sign=sign,
            sentence="A < B.",
            action="",
            statement="",
            confidence="",
            label=Label.TEST,
        )
        for sign in reversed(Sign)
    ]
    text = strip(findings)
    words = ["act", "watch", "good", "too little data"]
    places = [text.index(f"</span> {word}</span>") for word in words]
    assert places == sorted(places)
    assert "A &lt; B." in text
    assert 'class="action"' not in text


def test_the_glossary_holds_every_measure_and_every_name_its_entry():
    entries = terms(["noise/echo"])
    text = glossary(entries)
    found = names_of(entries)
    for name in ("effective rank", "noise scale", "spikes", "echo", "stable rank"):
        assert f'id="{found[name]}"' in text
    assert len(set(found.values())) == len(entries)
