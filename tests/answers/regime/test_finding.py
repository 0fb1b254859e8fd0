"""The finding on runs whose regime is known."""

import json
import math

import pytest
import torch

from spectrain import open_run, watch
from spectrain.answers import regime
from spectrain.core import Record, Role, Source
from spectrain.records import RunWriter
from spectrain_studies.models.planted import Planted
from support.synthetic_run import Recipe, make_block, write_run

RATE, DECAY = 0.02, 0.25  # a relaxation time is 100 steps


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)


def muon(parameters):
    return torch.optim.Muon(parameters, lr=RATE, weight_decay=DECAY, momentum=0.9)


def planted_run(path, seed, make=adamw, *, steps=500, schedule=None):
    model = Planted(16, generator=torch.Generator().manual_seed(seed))
    optimizer = make(model.parameters())
    with watch(model, optimizer, path, every=10, measures=["*/frobenius_norm"], strict=True) as run:
        for step in range(steps):
            if schedule:
                optimizer.param_groups[0]["lr"] = RATE * schedule(step)
            loss = model()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log(loss=loss)
    return open_run(path)


def rows(run):
    return {row["block"].split(".")[0]: row for row in regime(run).rows}


@pytest.mark.parametrize("make", [adamw, muon])
def test_noise_and_signal_are_told_apart(make, tmp_path):
    found = rows(planted_run(tmp_path / "run", 0, make))
    assert found["noise"]["verdict"] == "equilibrium"
    assert found["signal"]["verdict"] == "signal-driven"
    assert found["noise"]["ratio"] == pytest.approx(1, abs=0.1)
    assert found["noise"]["angle"] == pytest.approx(found["noise"]["equilibrium_angle"], rel=0.1)
    assert found["noise"]["relaxation_steps"] == pytest.approx(100, rel=0.01)
    assert abs(found["noise"]["persistent_energy"]) < 0.1
    assert 150 < found["noise"]["entered"] < 400


def test_alignment_of_noise_is_beta1(tmp_path):
    found = rows(planted_run(tmp_path / "run", 1))["noise"]
    assert found["noise_alignment"] == 0.9
    assert found["alignment"] == pytest.approx(0.9, abs=0.02)


def test_short_runs_approach_or_stay_undecided(tmp_path):
    half = rows(planted_run(tmp_path / "half", 2, steps=120))["noise"]
    assert half["verdict"] == "approaching"
    short = rows(planted_run(tmp_path / "short", 2, steps=45))["noise"]
    assert (short["verdict"], short["samples"]) == ("undecided", 7)
    assert "relaxation times" in short["reason"]


def test_schedules_are_followed(tmp_path):
    run = planted_run(tmp_path / "run", 3, steps=1000, schedule=lambda s: 1 - s / 1000)
    found = rows(run)["noise"]
    assert found["verdict"] == "behind its schedule"
    assert found["ratio"] == pytest.approx(1, abs=0.1)
    assert found["equilibrium"] < 0.5 * found["norm"]  # where the last rate alone would lead


def test_words_name_consequences(tmp_path):
    finding = regime(planted_run(tmp_path / "run", 4))
    told = " ".join(finding.advice)
    assert "1 at the norm that noise and weight decay agree on" in finding.statement
    assert "√(η/λ)" in told
    assert "add_multipliers" in told
    assert "separate learning rate or decay" in told
    json.dumps(finding.to_dict(), allow_nan=False)


def test_without_decay_nothing_settles(tmp_path):
    def make(parameters):
        return torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)

    found = rows(planted_run(tmp_path / "run", 5, make, steps=200))
    assert found["noise"]["verdict"] == "undecided"
    assert "without weight decay" in found["noise"]["reason"]
    assert found["signal"]["verdict"] == "signal-driven"


def test_coupled_decay_acts_through_the_momentum(tmp_path):
    """As decoupled decay of λ/(1 − μ): a relaxation takes 50 steps, and not 500."""

    def make(parameters):
        return torch.optim.SGD(parameters, lr=0.01, weight_decay=0.1, momentum=0.9)

    found = rows(planted_run(tmp_path / "run", 6, make, steps=300))
    assert found["noise"]["verdict"] == "equilibrium"
    assert found["noise"]["ratio"] == pytest.approx(1, abs=3 / math.sqrt(2 * 256))
    assert found["noise"]["relaxation_steps"] == pytest.approx(50, rel=0.03)
    assert found["signal"]["verdict"] == "signal-driven"


def test_runs_of_made_up_spectra_have_no_settings_of_their_groups(tmp_path):
    finding = regime(write_run(tmp_path / "run", Recipe(steps=range(9))))
    assert finding.status == "not enough data"
    assert "settings" in finding.statement


def test_small_blocks_get_a_wider_tolerance(tmp_path):
    blocks = [
        make_block("a", Role.OTHER, None, (100, 100)),
        make_block("b", Role.NORM, None, (8, 8)),
    ]
    writer = RunWriter(
        tmp_path / "run",
        manifest={
            "blocks": [block.to_dict() for block in blocks],
            "groups": [{"name": "group 0.0", "optimizer": "AdamW", "parameters": ["a", "b"]}],
        },
    )
    for step in range(0, 1000, 50):
        writer.write(
            [
                Record(step, "group 0.0", Source.OPTIMIZER, "learning_rate", 0.1),
                Record(step, "group 0.0", Source.OPTIMIZER, "weight_decay", 0.1),
                Record(step, "group 0.0", Source.OPTIMIZER, "beta1", 0.9),
                Record(step, "group 0.0", Source.OPTIMIZER, "beta2", 0.999),
                Record(step, "a", Source.WEIGHT, "frobenius_norm", 1.3 * 70.3),
                Record(step, "b", Source.WEIGHT, "frobenius_norm", 1.3 * 1.99),
            ]
        )
    writer.close({})
    large, small = regime(open_run(tmp_path / "run")).rows
    assert large["verdict"] == "signal-driven"
    assert small["verdict"] == "equilibrium"
    assert small["tolerance"] > 0.8


@pytest.mark.slow
def test_a_hundred_seeds(tmp_path):
    right = 0
    for seed in range(100):
        found = rows(planted_run(tmp_path / str(seed), seed))
        right += (found["noise"]["verdict"], found["signal"]["verdict"]) == (
            "equilibrium",
            "signal-driven",
        )
    assert right >= 95
