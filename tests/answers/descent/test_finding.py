"""Verdicts against a transcription of the criterion, and what stands where data are missing."""

import json

import numpy as np
import pytest

from spectrain.answers import Tried, descent, plan_of
from spectrain.answers.descent.finding import read_ratios, reading
from spectrain.core import InputError, Record, Role, Source, SpectrumRecord, Step
from spectrain.records import RunWriter, open_run
from support.synthetic_run import Recipe, gpt_blocks, make_block, write_run


def write_ratios(path, ratios, *, role=Role.MLP_IN, stable=4.0, extra=(), config=None):
    """A run of one 16 × 16 block whose nr/st is ``ratios``, one value a step."""
    block = make_block("w", role, 0, (16, 16))
    manifest = {"blocks": [block.to_dict()], "config": config or {}}
    writer = RunWriter(path, manifest=manifest)
    for step, ratio in enumerate(ratios):
        writer.write(
            [
                Record(step, "w", Source.GRADIENT, "nuclear_rank", float(ratio * stable)),
                Record(step, "w", Source.INPUT, "stable_rank", stable, count=64),
            ]
        )
    writer.write(list(extra))
    writer.close({})
    return open_run(path)


def noisy(median, size=30, seed=0, spread=0.05):
    return median * np.exp(spread * np.random.default_rng(seed).standard_normal(size))


@pytest.mark.parametrize(
    ("median", "verdict", "status"),
    [
        (3.0, "spectral", "answered"),
        (0.3, "euclidean", "answered"),
        (1.0, "open", "open"),
        (1.9, "open", "open"),
        (0.55, "open", "open"),
        (2.0, "open", "open"),
    ],
)
def test_verdicts(median, verdict, status, tmp_path):
    finding = descent(write_ratios(tmp_path / "run", noisy(median)))
    (row,) = finding.rows
    assert (row.verdict, finding.status) == (verdict, status)
    assert row.low <= row.ratio <= row.high
    assert row.ratio == pytest.approx(median, rel=0.05)


def test_the_ratio_is_that_of_the_criterion(tmp_path):
    ratios = noisy(5.0, size=60)
    (row,) = descent(write_ratios(tmp_path / "run", ratios)).rows
    assert row.ratio == pytest.approx(np.exp(np.median(np.log(ratios[-20:]))), rel=1e-9)
    assert row.nuclear_rank == pytest.approx(4.0 * np.median(ratios[-20:]))
    assert (row.stable_rank, row.columns, row.activation) == (4.0, 64, "input")
    assert (row.samples, row.window) == (60, (40, 59))


def test_a_ratio_takes_the_stable_rank_of_the_nearest_step(tmp_path):
    """What feeds a block is read with every third gradient."""
    block = make_block("w", Role.MLP_IN, 0, (16, 16))
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()], "config": {}})
    stable = {0: 2.0, 30: 4.0, 60: 8.0}
    for step in range(0, 70, 10):
        writer.write([Record(step, "w", Source.GRADIENT, "nuclear_rank", 8.0)])
        if step in stable:
            writer.write([Record(step, "w", Source.INPUT, "stable_rank", stable[step], count=64)])
    writer.close({})
    ratios = read_ratios(open_run(tmp_path / "run"))
    assert ratios["step"].to_list() == list(range(0, 70, 10))
    assert ratios["ratio"].to_list() == [4, 4, 2, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(2, 9, "spectral"), (1.99, 9, "open"), (0.1, 0.5, "euclidean"), (0.1, 0.51, "open")],
)
def test_the_whole_interval_must_lie_beyond_the_threshold(low, high, verdict):
    assert reading(low, high) == verdict


def test_the_criterion_input_goes_before_the_literal_one(tmp_path):
    criterion = [
        Record(step, "w", Source.CRITERION_INPUT, "stable_rank", 2.0, count=32)
        for step in range(20)
    ]
    finding = descent(write_ratios(tmp_path / "run", noisy(1.5, 20), extra=criterion))
    (row,) = finding.rows
    assert (row.activation, row.columns) == ("criterion", 32)
    assert row.ratio == pytest.approx(3.0, rel=0.05)
    assert row.verdict == "spectral"


def test_the_course_tells_when_the_advantage_faded(tmp_path):
    ratios = np.r_[noisy(6.0, 20), noisy(0.9, 40, seed=1)]
    finding = descent(write_ratios(tmp_path / "run", ratios))
    (row,) = finding.rows
    assert (row.course, row.crossings) == ("below 2 since step 20", (20,))
    assert any("fell below 2 during training (the last by step 20)" in a for a in finding.advice)


@pytest.mark.parametrize(
    ("omitted", "reason"),
    [
        (Source.INPUT, "nothing is recorded of what feeds it"),
        (Source.GRADIENT, "no gradient of it is recorded"),
    ],
)
def test_missing_records_are_not_enough_data(omitted, reason, tmp_path):
    block = make_block("w", Role.MLP_IN, 0, (16, 16))
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    measures = {Source.GRADIENT: "nuclear_rank", Source.INPUT: "stable_rank"}
    del measures[omitted]
    for step in range(20):
        writer.write([Record(step, "w", source, name, 3.0) for source, name in measures.items()])
    writer.close({})
    finding = descent(open_run(tmp_path / "run"))
    assert finding.status == "not enough data"
    assert finding.rows[0].reason == reason
    assert finding.statement == f"Not enough data for any block: {reason}."


def test_undefined_values_give_their_own_reason(tmp_path):
    block = make_block("w", Role.MLP_IN, 0, (16, 16))
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    for step in range(20):
        writer.write(
            [
                Record(step, "w", Source.GRADIENT, "nuclear_rank", None, reason="not finite"),
                Record(step, "w", Source.INPUT, "stable_rank", 3.0),
            ]
        )
    writer.close({})
    assert descent(open_run(tmp_path / "run")).rows[0].reason == "not finite"


def test_zero_gradients_are_left_out(tmp_path):
    ratios = noisy(3.0, 30)
    ratios[:5] = 0.0
    run = write_ratios(tmp_path / "run", ratios)
    assert read_ratios(run).height == 25
    assert descent(run).rows[0].samples == 25


def test_few_samples_give_a_ratio_without_a_verdict(tmp_path):
    finding = descent(write_ratios(tmp_path / "run", [3.0] * 7))
    (row,) = finding.rows
    assert (row.verdict, row.ratio, row.low) == ("not enough data", 3.0, None)
    assert row.reason == "7 samples, 8 are needed for an interval"


def test_intervals_ignore_the_other_blocks(tmp_path):
    run = write_run(tmp_path / "run", Recipe(steps=range(24), blocks=gpt_blocks(1)))
    whole = {row.block: row for row in descent(run).rows}
    some = descent(run, blocks=run.blocks[3:5]).rows
    assert [row.block for row in some] == [block.name for block in run.blocks[3:5]]
    assert all(row == whole[row.block] for row in some)


def test_labels(tmp_path):
    network = write_ratios(tmp_path / "network", noisy(3.0))
    simple = write_ratios(
        tmp_path / "least squares", noisy(3.0), config={"objective": "least squares"}
    )
    assert descent(network).label == "heuristic"
    assert descent(simple).label == "theorem"


def test_embeddings_and_heads_are_judged_with_a_note(tmp_path):
    for role, note in (
        (Role.EMBEDDING, "token indicators"),
        (Role.HEAD, "leaves the head to Adam"),
    ):
        run = write_ratios(tmp_path / role, noisy(3.0), role=role)
        (row,) = descent(run).rows
        assert row.verdict == "spectral"
        assert note in row.note


def test_gains_are_no_candidates(tmp_path):
    finding = descent(write_ratios(tmp_path / "run", noisy(3.0), role=Role.NORM))
    (row,) = finding.rows
    assert row.verdict == "no matrix"
    assert "a gain" in row.reason
    assert row.ratio == pytest.approx(3.0, rel=0.1)
    assert not any("2 or above" in line for line in finding.advice)


def test_the_criterion_routes_nothing(tmp_path):
    """Usual routing whatever the ratio: Muon for a hidden matrix, AdamW for a head."""
    for role, ratio, step in ((Role.MLP_IN, 0.2, "spectral"), (Role.HEAD, 9.0, "euclidean")):
        finding = descent(write_ratios(tmp_path / role, noisy(ratio), role=role))
        assert finding.sign == "good"
        assert "no routing" in finding.sentence
        assert dict(plan_of(finding)) == {"w": step}


def test_deviations_come_from_trials(tmp_path):
    finding = descent(write_ratios(tmp_path / "run", noisy(3.0), role=Role.HEAD))
    plan = plan_of(finding, evidence={"w": Tried(Step.SPECTRAL, {"gain": 0.02})})
    assert plan["w"] is Step.SPECTRAL
    assert plan.evidence["w"]["gain"] == 0.02
    assert plan.evidence["w"]["verdict"] == "spectral"
    with pytest.raises(InputError, match="the evidence is of 'v', which the finding does not know"):
        plan_of(finding, evidence={"v": Tried(Step.SPECTRAL)})


def test_without_replicas_the_ratio_is_an_upper_value(tmp_path):
    finding = descent(write_ratios(tmp_path / "run", noisy(3.0)))
    assert not finding.rows[0].corrected
    assert "upper value" in finding.statement
    assert "upper value" in finding.sentence


@pytest.mark.parametrize(("scale", "clip"), [(1.0, 1.0), (7.0, 0.1)])
def test_with_replicas_sampling_noise_is_taken_out(scale, clip, tmp_path):
    """Three equal directions of 48, under white noise that raises the nuclear rank to above 9."""
    generator = np.random.default_rng(0)
    block = make_block("w", Role.MLP_IN, 0, (48, 64))
    writer = RunWriter(tmp_path / "run", manifest={"blocks": [block.to_dict()]})
    replicas, noise = 8, 0.5
    signal = np.zeros((48, 64))
    signal[range(3), range(3)] = 8.0
    for step in range(12):
        gradient = signal + noise / replicas**0.5 * generator.standard_normal((48, 64))
        sigma = np.linalg.svd(gradient, compute_uv=False)
        powers = {"signal_power": 192.0, "noise_power": noise**2 * 48 * 64}
        writer.write(
            [
                Record(
                    step,
                    "w",
                    Source.GRADIENT,
                    "nuclear_rank",
                    float(sigma.sum() ** 2 / (sigma @ sigma)),
                ),
                Record(step, "w", Source.INPUT, "stable_rank", 1.0),
                *(
                    Record(step, "w", Source.NOISE, name, scale * value, count=replicas)
                    for name, value in powers.items()
                ),
            ]
        )
        writer.write_spectra([SpectrumRecord(step, "w", Source.GRADIENT, clip * sigma, "svd")])
    writer.close({})
    finding = descent(open_run(tmp_path / "run"))
    (row,) = finding.rows
    assert row.corrected
    assert row.nuclear_rank == pytest.approx(3.0, rel=0.02)  # measured 3.000
    assert "Sampling noise is taken out" in finding.statement


def test_batch_sizes_that_were_not_logged_are_missing_data(tmp_path):
    logged = Record(0, None, Source.TRAINING, "batch_size", 32.0)
    without = descent(write_ratios(tmp_path / "a", noisy(3.0)))
    with_size = descent(write_ratios(tmp_path / "b", noisy(3.0), extra=[logged]))
    assert any("Not enough data" in limit and "batch_size" in limit for limit in without.limits)
    assert any("batches of 32;" in limit for limit in with_size.limits)


def test_fewer_columns_than_features_are_pointed_out(tmp_path):
    few = [Record(s, "w", Source.CRITERION_INPUT, "stable_rank", 2.0, count=8) for s in range(20)]
    finding = descent(write_ratios(tmp_path / "run", noisy(3.0, 20), extra=few))
    assert any("1 block saw fewer columns than features" in limit for limit in finding.limits)


def test_a_realistic_run(realistic_run):
    finding = descent(realistic_run)
    verdicts = {row.block: row.verdict for row in finding.rows}
    assert len(verdicts) == 30
    assert verdicts["layers.0.attn.query.weight"] == "spectral"
    assert verdicts["embedding.weight"] == "euclidean"
    assert verdicts["layers.0.norm.weight"] == "no matrix"
    groups = {group.role: group for group in finding.groups}
    assert groups["mlp.out"].spectral == groups["mlp.out"].blocks == 4
    assert finding.statement.startswith("Of 30 blocks, the criterion favours the spectral step in")
    json.dumps(finding.to_dict(), allow_nan=False)


def test_a_run_without_blocks(tmp_path):
    finding = descent(write_run(tmp_path / "run", Recipe(blocks=(), steps=())))
    assert finding.status == "not enough data"
    assert finding.statement == "Not enough data for any block: the run has no blocks."
