"""The study at a tiny scale, and its experiments against theory."""

from dataclasses import replace

import numpy as np
import pytest

from spectrain_studies import load_study
from spectrain_studies.frame import Verdict, execute
from spectrain_studies.frame.statistics import log_slope, over_seeds
from spectrain_studies.models.minimal_model import Arm, Problem
from spectrain_studies.regime.config import QUICK, Planted, Sweep, Transformer, Tuning, Twins
from spectrain_studies.regime.model.experiment import DEFINITIONS, SweepCase, run_sweep
from spectrain_studies.regime.planted_runs.experiment import PlantedCase, run_planted
from spectrain_studies.regime.statistics import late, twin_norm
from spectrain_studies.regime.tuning.experiment import draw_trials
from spectrain_studies.regime.twins.experiment import TwinCase, run_twins

SEARCH = Tuning(searches=2, trials=2, tuning_seeds=1, test_seeds=1, steps=8)
TINY = replace(
    QUICK,
    samples=64,
    seeds=2,
    dimension=4,
    learning_rate=0.05,
    weight_decay=0.2,
    dynamics=Sweep((0.0,), relaxations=0.5, records=20),
    batches=Sweep((4, 16), relaxations=0.2, records=3),
    decays=Sweep((0.0, 0.1, 0.2), relaxations=0.2, records=4),
    undecayed_steps=12,
    dimensions=Sweep((3, 5), relaxations=0.2, records=3),
    balance=Sweep((0.5, 2.0), relaxations=0.2, records=3),
    twins=Twins(shapes=((4, 4),), twins=4, relaxations=0.5, lags=4),
    tuning=SEARCH,
    transformer=Transformer(seeds=2, layers=1, width=16, context=8, steps=4, tuning=SEARCH),
    planted=Planted(seeds=1, steps=60),
)


def test_every_claim_is_judged_and_every_figure_drawn(tmp_path):
    study = load_study("regime")
    result = execute(study, "quick", tmp_path, config=TINY)
    assert not result.problems
    judged = {claim.id: judgement for claim, judgement in result.claims}
    assert len(judged) == len(study.claims) >= 90
    assert not [name for name, j in judged.items() if j.note.startswith("could not be judged")]
    assert len(result.figures) == 2 * len(study.figures)
    late = [name for name in judged if "/fig" in name or ("/eq3" in name and "-batch" not in name)]
    assert {judged[name].verdict for name in late} <= {Verdict.UNDECIDED, Verdict.UNTESTABLE}


def test_sweeps_measure_norms_and_ratios():
    case = SweepCase(Problem(4, 64), (Arm(4), Arm(16)), seeds=3, steps=20, records=4)
    found = run_sweep(case)
    assert found["steps"].tolist() == [0, 5, 10, 15, 20]
    assert found["weight_norm"].shape == (5, 2, 3)
    first = {name: found[f"weight_{name}"][0] for name in DEFINITIONS}
    assert first["snr_power"] == pytest.approx(first["snr_whole_tensor"] ** 2)
    assert first["snr_whole_tensor"] / 16 == pytest.approx(first["snr_parameter_normalised"])
    assert first["snr_whole_tensor"][1] == pytest.approx(2 * first["snr_whole_tensor"][0])


def test_twins_stay_near_their_theory():
    found = run_twins(TwinCase("adamw", (12, 12), 32, 0.1, 0.1, steps=300, lags=20))
    assert np.mean(found["norms"][-1] / found["norm"]) == pytest.approx(1, abs=0.05)
    assert found["norms"][60].mean() == pytest.approx(found["path"][60], rel=0.05)


def test_trials_are_as_many_on_both_sides_and_within_range():
    shared, separate = draw_trials(Tuning(trials=50), search=1)
    assert len(shared) == len(separate) == 50
    assert shared[:, 0].min() >= 1e-3
    assert separate[:, [1, 3]].max() <= 1.0
    assert not np.array_equal(shared, draw_trials(Tuning(trials=50), search=2)[0])


def test_planted_runs_are_told_apart():
    found = run_planted(PlantedCase(first=0, runs=1, steps=400))
    assert found["noise_verdict"] == ["equilibrium"]
    assert found["signal_verdict"] == ["signal-driven"]


def test_statistics():
    x = np.array([1.0, 2.0, 4.0])
    y = np.stack([3 * x**1.5, 7 * x**1.5], axis=1)
    assert log_slope(x, y).value == pytest.approx(1.5)
    estimate = over_seeds([1.0, 2.0, 3.0])
    assert estimate.high == pytest.approx(2 + 4.303 / 3**0.5, rel=1e-3)  # t at 95 %, 2 degrees
    assert twin_norm(100, 0.01, 0.01) == pytest.approx(7.07, rel=1e-3)
    from spectrain_studies.frame import Result

    result = Result(None, {"steps": np.arange(7), "a": np.arange(7.0)[:, None]})
    assert late(result, "a").tolist() == [5.0]
