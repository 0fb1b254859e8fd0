"""The study at a tiny scale, its rules of alarm, and what it plants."""

from dataclasses import replace

import numpy as np
import pytest

from spectrain_studies import load_study
from spectrain_studies.frame import Result, execute
from spectrain_studies.stability.config import QUICK, Divergence, Transfer
from spectrain_studies.stability.divergence.alarms import (
    alarm,
    course,
    lead,
    shown,
    threshold,
)
from spectrain_studies.stability.divergence.experiment import SCORES, RunCase, run_case, stands_out
from spectrain_studies.stability.divergence.setups import DRIVES, SETUPS, Drive
from spectrain_studies.stability.transfer.claims import names
from spectrain_studies.stability.transfer.experiment import TransferCase, run_transfer

PLAN = Transfer(plants=4, steps=48)


def made(score, *, every=4, steps=200, losses=()):
    values = np.asarray(score, dtype=float)
    case = RunCase("mlp-sgd", True, DRIVES[0], 0, steps, every)
    at = every * np.arange(len(values))
    return Result(case, {"steps": at, "gain": values, "losses": np.asarray(losses)})


def test_a_divergence_is_shown_where_the_median_rises_for_good():
    falling, high = np.linspace(3, 1, 100), np.full(40, 2.0)
    assert shown(falling) == shown(np.r_[falling, 3.0, falling[-20:]])  # one loss is no divergence
    found = shown(np.r_[falling, high])
    assert found.diverged
    assert found.step == 104  # the median of nine
    spike = shown(np.r_[falling, high, np.full(40, 1.0)])
    assert (spike.step, spike.diverged) == (104, False)
    assert shown(np.r_[falling, np.nan]).diverged


def test_an_alarm_looks_at_no_later_sample_and_not_at_the_start():
    score = np.r_[9.0, 9.0, 9.0, np.zeros(27), np.ones(20)]
    result = made(score)
    steps, values = course(result, "gain")
    assert steps[0] == 20
    assert values.max() == 1.0
    assert alarm(result, {"gain": 0.5}) == 4 * 31  # the median of three needs the second
    assert alarm(result, {"gain": 1.0}) is None
    cut = made(score[:32])
    assert alarm(cut, {"gain": 0.5}) == 4 * 31


def test_the_lead_is_from_the_alarm_to_what_the_loss_shows():
    losses = np.r_[np.linspace(3, 1, 150), np.full(50, 2.0)]
    result = made(np.r_[np.zeros(30), np.ones(20)], losses=losses)
    assert lead(result, {"gain": 0.5}) == 154 - 124
    assert lead(result, {"gain": 2.0}) == -np.inf


def test_a_threshold_is_passed_by_its_share_of_runs():
    results = [made(np.full(50, float(level))) for level in range(20)]
    assert threshold(results, "gain", 0.05) == 18.0
    assert threshold(results, "gain", 0.0) == 19.0


def test_losses_stand_out_by_their_own_past():
    losses = np.r_[np.tile([1.0, 1.2], 16), np.full(8, 1.4)]
    assert stands_out(losses) == pytest.approx(0.3 / (1.4826 * 0.1))
    assert stands_out(losses[:20]) == 0.0


def test_rates_rise_and_ramp():
    warm, ramp = Drive("warm", rate=4.0), Drive("ramp", rate=16.0, ramp=True)
    assert [warm.factor(step, 100) for step in (4, 9, 50)] == [2.0, 4.0, 4.0]
    assert [ramp.factor(step, 100) for step in (0, 50)] == [1.0, 4.0]


@pytest.mark.parametrize("setup", SETUPS)
def test_every_setup_is_recorded_and_repeatable(setup):
    case = RunCase(setup, True, DRIVES[-1], 0, 16, 2)
    first, second = run_case(case), run_case(case)
    assert len(first["losses"]) == 16
    for name in ("losses", "answer", *SCORES):
        np.testing.assert_array_equal(first[name], second[name])
    assert np.isfinite(first["step"]).any()
    assert np.isfinite(first["logits"]).any() == ("gpt" in setup or "encoder" in setup)


@pytest.mark.parametrize("power", [1, -1, 0])
def test_a_layer_of_the_wrong_pace_is_named(power):
    outcome = run_transfer(TransferCase("mlp", 0, power, PLAN))
    if power:
        assert names(Result(TransferCase("mlp", 0, power, PLAN), dict(outcome)))
    else:
        assert not [*outcome["fast"], *outcome["slow"]]


@pytest.mark.slow
def test_every_claim_is_judged_and_every_figure_drawn(tmp_path):
    study = load_study("stability")
    tiny = replace(
        QUICK, divergence=replace(Divergence(), setups=QUICK.divergence.setups, healthy=1, steps=60)
    )
    result = execute(study, "quick", tmp_path, config=replace(tiny, transfer=PLAN))
    assert not result.problems
    judged = {claim.id: judgement for claim, judgement in result.claims}
    assert len(judged) == len(study.claims)
    assert not [name for name, j in judged.items() if j.note.startswith("could not be judged")]
    assert len(result.figures) == 2 * len(study.figures)
