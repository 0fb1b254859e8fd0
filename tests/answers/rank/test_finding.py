import json

import numpy as np
import pytest

from spectrain.answers import rank
from spectrain.answers.rank.finding import read_shares
from spectrain.core import Record, Source
from spectrain.records import RunWriter, open_run
from support.synthetic_run import Recipe, gpt_blocks, write_run


def level(block, progress):
    return 0.5


def verdicts(finding):
    return {row.block: row.verdict for row in finding.rows}


def test_falls_are_found_where_they_are(realistic_run):
    finding = rank(realistic_run)
    found = verdicts(finding)
    assert found["layers.3.attn.query.weight"] == "falling"
    assert found["layers.3.mlp.out.weight"] == "no trend"
    assert found["head.weight"] == "no trend"
    row = next(row for row in finding.rows if row.block == "layers.3.norm.weight")
    assert row.low < row.change < row.high < 1
    assert row.late / row.early == pytest.approx(row.change, rel=0.01)
    assert row.rho < -0.9
    assert finding.status == "answered"


def test_the_rise_from_zero_initialised_blocks_hides_no_fall(tmp_path):
    def zero_first(block, progress):
        return 0.05 if progress < 0.3 else 0.6 - 0.3 * progress

    run = write_run(tmp_path / "run", Recipe(share=zero_first, blocks=gpt_blocks(1)[:3]))
    assert set(verdicts(rank(run)).values()) == {"falling"}


def test_rises_are_told_apart(tmp_path):
    def rising(block, progress):
        return 0.2 + 0.3 * progress * (block.depth == 1)

    run = write_run(tmp_path / "run", Recipe(share=rising, blocks=gpt_blocks(2)))
    finding = rank(run)
    assert verdicts(finding)["layers.1.mlp.in.weight"] == "rising"
    assert "it rises in" in finding.statement
    assert any("No collapse" in advice for advice in finding.advice)


def test_groups_by_role_and_depth(realistic_run):
    groups = rank(realistic_run).groups
    roles = {group.role: group for group in groups if group.role is not None}
    depths = {group.depth: group for group in groups if group.depth is not None}
    assert (roles["mlp.out"].verdict, roles["attention.q"].verdict) == ("no trend", "falling")
    assert [depths[depth].verdict for depth in range(4)] == ["no trend", *["falling"] * 3]
    assert depths[3].blocks == 7


def test_few_false_alarms_over_many_blocks(tmp_path):
    """Ten runs of ten blocks without any trend: one run in twenty may name a block."""
    blocks = gpt_blocks(2)[:10]
    alarmed = 0
    for seed in range(10):
        noise = np.random.default_rng(seed).standard_normal((40, 10))
        writer = RunWriter(
            tmp_path / str(seed), manifest={"blocks": [block.to_dict() for block in blocks]}
        )
        for step, values in enumerate(20 + noise):
            writer.write(
                [
                    Record(step, block.name, Source.GRADIENT, "effective_rank", float(value))
                    for block, value in zip(blocks, values, strict=True)
                ]
            )
        writer.close({})
        found = verdicts(rank(open_run(tmp_path / str(seed))))
        alarmed += any(verdict != "no trend" for verdict in found.values())
    assert alarmed <= 2  # 0; testing each block at 5 % names one in 4 of the runs


def test_q_values_are_those_of_benjamini_and_hochberg(tmp_path):
    finding = rank(write_run(tmp_path / "run", Recipe(steps=range(20))))
    p_values = np.array([row.p_value for row in finding.rows])
    q_values = np.array([row.q_value for row in finding.rows])
    order = np.argsort(p_values)
    scaled = p_values[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    expected = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    assert q_values[order] == pytest.approx(expected)


def test_shares_are_of_full_rank(tmp_path):
    run = write_run(tmp_path / "run", Recipe(share=level, noise=0.0, steps=range(3)))
    shares = read_shares(run, run.blocks)
    recorded = run.metrics(source="gradient", measure="effective_rank", block="head.weight")
    own = shares.filter(block="head.weight")
    assert own["share"].to_list() == pytest.approx((recorded["value"] / 64).to_list())


def test_short_runs_are_not_enough_data(tmp_path):
    finding = rank(write_run(tmp_path / "run", Recipe(steps=range(7))))
    assert finding.status == "not enough data"
    assert {row.reason for row in finding.rows} == {
        "6 samples after the first twentieth of the run, 8 are needed"
    }
    assert finding.rows[0].early is not None


def test_changes_get_an_interval_once_both_ends_are_long_enough(tmp_path):
    short = rank(write_run(tmp_path / "short", Recipe(steps=range(25), blocks=gpt_blocks(1))))
    long = rank(write_run(tmp_path / "long", Recipe(steps=range(26), blocks=gpt_blocks(1))))
    assert {row.low for row in short.rows} == {None}
    assert all(row.low < row.high for row in long.rows)
    assert any("fewer than 24 samples" in limit for limit in short.limits)
    assert not any("fewer than 24 samples" in limit for limit in long.limits)


def test_a_missing_loss_is_missing_data_and_not_more(tmp_path):
    finding = rank(write_run(tmp_path / "run", Recipe(loss=False, blocks=gpt_blocks(2))))
    assert finding.status == "answered"
    assert any("Not enough data" in limit and "loss" in limit for limit in finding.limits)


@pytest.mark.parametrize(
    ("slope", "words"), [(-1.0, "still falls"), (0.0, "shows no trend"), (1.0, "rises")]
)
def test_what_the_loss_does_meanwhile(slope, words, tmp_path):
    block = gpt_blocks(1)[1]
    generator = np.random.default_rng(0)
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    for step in range(200):
        value = 3 + slope * step / 100 + 0.1 * generator.standard_normal()
        writer.write([Record(step, None, Source.TRAINING, "loss", float(value))])
    for step in range(20):
        writer.write([Record(step, block.name, Source.GRADIENT, "effective_rank", 9.0)])
    writer.close({})
    finding = rank(open_run(tmp_path / "run"))
    assert any(f"The loss {words} over the second half" in limit for limit in finding.limits)


def test_findings_become_json(tmp_path):
    finding = rank(write_run(tmp_path / "run", Recipe(steps=range(9))))
    assert json.loads(json.dumps(finding.to_dict(), allow_nan=False))["name"] == "rank"


def test_a_run_without_blocks(tmp_path):
    finding = rank(write_run(tmp_path / "run", Recipe(blocks=(), steps=())))
    assert finding.statement == "Not enough data for any block: the run has no blocks."


@pytest.mark.parametrize(("together", "start"), [(True, 0.0), (False, 0.0), (True, 100.0)])
def test_pace_of_learning_against_rank(together, start, tmp_path):
    """The loss falls faster after samples of high rank, or whatever the rank.

    Losses of the first twentieth, far above the others, hide nothing.
    """
    block, generator = gpt_blocks(1)[1], np.random.default_rng(0)
    shares = 0.5 + 0.1 * generator.standard_normal(60).clip(-3, 3)
    others = 0.5 + 0.1 * generator.standard_normal(60).clip(-3, 3)
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    loss = 10.0
    for sample, (share, other) in enumerate(zip(shares, others, strict=True)):
        step = 4 * sample
        writer.write([Record(step, block.name, Source.GRADIENT, "effective_rank", 64 * share)])
        for inner in range(4):
            loss -= 0.02 * (share if together else other) ** 2
            logged = loss + start * (step + inner < 12)
            writer.write([Record(step + inner, None, Source.TRAINING, "loss", logged)])
    writer.close({})
    told = [
        limit for limit in rank(open_run(tmp_path / "run")).limits if "ace of learning" in limit
    ]
    assert len(told) == 1
    assert ("goes with the rank" in told[0]) == together
    assert ("the lower the rank, the slower" in told[0]) == together
