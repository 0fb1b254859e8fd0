"""The whole study at a tiny scale, and its parts against theory."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spectrain.noise.estimate import symmetric
from spectrain.rmt import TwoMode, WignerSurmise, hermite_eigenvalues, laguerre_eigenvalues
from spectrain.training.corpus import load_corpus
from spectrain_studies.frame import StudyResult, Verdict, execute
from spectrain_studies.frame.statistics import (
    distance,
    proportionality,
    weighted_log_slope,
    weighted_slope,
)
from spectrain_studies.models.images import load_images
from spectrain_studies.randomness import STUDY
from spectrain_studies.randomness.config import DOCUMENT, PAPER, QUICK, Config
from spectrain_studies.randomness.gpt.spectra import unfolded_spacings
from spectrain_studies.randomness.images.experiment import learnt
from spectrain_studies.randomness.mode.experiment import ModeCase, run_mode
from spectrain_studies.randomness.rbm.experiment import Machine, RestCase, run_rest
from spectrain_studies.randomness.statistics import PAIRS, counted, finite_rate, spacings

MACHINE = Machine.of(DOCUMENT)


def tiny() -> Config:
    return replace(
        QUICK,
        machine=replace(
            QUICK.machine,
            runs=24,
            settle=6.0,
            snapshots=2,
            between=3.0,
            rates=(0.1, 0.05),
            batches=(16, 32),
            equal=((0.8, 128), (0.2, 32)),
            course_runs=10,
            course_times=(0.0, 1.0, 4.0),
            ratios=(0.0125, 0.006),
            generalisation_runs=4,
            noise_runs=300,
        ),
        mode=replace(QUICK.mode, runs=200, times=(1.0, 2.0)),
        linear=replace(QUICK.linear, runs=40),
        transformer=replace(
            QUICK.transformer,
            readings=(0, 2, 4),
            other_readings=(0, 2, 4),
            evaluation=2,
            finetune=1,
            optimizers=(("adamw", 1e-3), ("muon", 0.02)),
        ),
        image=replace(QUICK.image, updates=30),
        law=replace(QUICK.law, matrices=40, spectra=3, planted=6, levels=40, replicates=19),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("randomness")


@pytest.fixture(scope="module")
def result(folder: Path) -> StudyResult:
    """Claims that do not need the transformer."""
    heavy = {"transformer"}
    claims = [
        name
        for name, claim in STUDY.claims.items()
        if heavy.isdisjoint(need.name for need in claim.needs)
    ]
    return execute(STUDY, "quick", folder, config=tiny(), claims=claims)


def test_every_claim_is_judged(result: StudyResult) -> None:
    assert not result.problems
    for claim, judgement in result.claims:
        assert "could not be judged" not in judgement.note, claim.id


@pytest.mark.slow
def test_the_whole_study_with_its_figures(tmp_path: Path) -> None:
    whole = execute(STUDY, "quick", tmp_path, config=tiny())
    assert not whole.problems
    for claim, judgement in whole.claims:
        assert "could not be judged" not in judgement.note, claim.id
    assert {Path(file).stem for file in whole.figures} == set(STUDY.figures)
    assert all((tmp_path / file).stat().st_size > 1000 for file in whole.figures)


def test_what_needs_no_luck_has_its_verdict_at_any_scale(result: StudyResult) -> None:
    verdicts = {claim.id.split("/")[1]: judgement.verdict for claim, judgement in result.claims}
    assert verdicts["amplitude-as-printed"] is Verdict.UNTESTABLE
    for name in ("drift", "loss-sign", "mp-area"):
        assert verdicts[f"{name}-as-printed"] is Verdict.FAILS, name
        assert verdicts[f"{name}-corrected"] is Verdict.HOLDS, name
    for name in ("potential", "ground-state", "hamiltonian-form", "double-well", "free-dispersion"):
        assert verdicts[name] is Verdict.HOLDS, name
    assert verdicts["binder-as-usual"] is Verdict.FAILS
    assert verdicts["semicircle-as-named"] is Verdict.FAILS


def test_the_second_time_nothing_is_computed_again(result: StudyResult, folder: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.npz")}
    execute(STUDY, "quick", folder, config=tiny(), claims=["drift-corrected", "at-rest"])
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.npz")} == before


def test_the_quick_scale_reads_what_set_up_brings() -> None:
    one = QUICK.image
    assert len(load_images(one.source, count=one.count).pixels) == one.count
    assert len(load_images(one.source, split="test", count=one.held_out).pixels) == one.held_out
    assert load_corpus(QUICK.transformer.text, characters=1000).name == "shakespeare"
    assert any("digits" in line for line in STUDY.thinned["quick"])


def test_the_paper_scale_says_what_it_thins() -> None:
    assert PAPER.machine.runs < DOCUMENT.machine.runs
    assert len(STUDY.thinned["paper"]) >= 4
    assert "machine.runs" in STUDY.thinned["paper"][0]


def test_the_config_can_undo_the_thinning() -> None:
    """At the document's own settings a case starts cold and runs its 100,000 updates."""
    from spectrain_studies.randomness.rbm.experiment import rest_cases

    case = rest_cases(DOCUMENT)[0]
    assert case.cold
    assert (case.first, case.runs) == (100_000, 7500)
    assert not rest_cases(PAPER)[0].cold


def test_a_cold_start_reaches_the_levels_of_a_warm_one() -> None:
    # The slowest mode grows as exp(αt/36) from a level of the order of 1e-4, then relaxes over 32.
    cold = RestCase(MACHINE, 0.1, 32, runs=20, first=8000, between=1, snapshots=1, cold=True)
    warm = replace(cold, first=400, cold=False)
    means = [run_rest(case)["levels"][0].mean(0) for case in (cold, warm)]
    assert np.abs(means[0] - means[1]).max() < 0.2  # standard errors up to 0.05


def test_levels_belong_to_the_modes_of_their_eigenvectors() -> None:
    case = RestCase(MACHINE, 0.01, 64, runs=20, first=50, between=1, snapshots=1, cold=False)
    mode = run_rest(case)["mode"][0]
    assert (mode == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]).mean() > 0.97


def test_finite_rates_widen_as_a_simulated_autoregression_does() -> None:
    """The formula against the stationary variance of x ← φx + e, e autoregressive with ρ."""
    rate, x, kappa, mass, sweeps = 0.4, 4.618, 4.382, 9.0, 1
    r, rho = 2 * rate * x / kappa**2, (x / mass) ** 2
    phi = 1 - r
    lags = rho ** np.arange(400)
    response = phi ** np.arange(400)
    total = sum(response[i] * response[j] * lags[abs(i - j)] for i in range(60) for j in range(60))
    assert finite_rate(rate, x, kappa, mass, sweeps) ** 2 == pytest.approx(2 * r * total, rel=1e-6)


def test_fits_find_what_was_planted() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    estimates = [symmetric(3 * v**0.5, 0.01, replicas=100) for v in x]
    assert weighted_log_slope(x.tolist(), estimates).value == pytest.approx(0.5)
    assert proportionality((x**0.5).tolist(), estimates).value == pytest.approx(3)
    line = weighted_slope(x.tolist(), (2 * x + 1).tolist(), [0.1] * 4)
    assert line.value == pytest.approx(2)
    assert line.error == pytest.approx(0.1 / sqrt(((x - x.mean()) ** 2).sum()))


def test_a_share_knows_its_cases() -> None:
    assert counted(5, 10).value == 0.5
    assert counted(5, 10).covers(0.5)
    assert counted(0, 10).replicas == 10


def test_the_distance_is_that_of_kolmogorov() -> None:
    from scipy.stats import kstest

    generator = torch.Generator().manual_seed(0)
    surmise: Any = WignerSurmise()
    sample = surmise.sample(500, generator=generator)
    expected = kstest(sample, surmise.distribution).statistic
    assert distance(sample, surmise.distribution) == pytest.approx(expected)


def test_spacings_of_pairs_of_a_two_mode_law() -> None:
    generator = torch.Generator().manual_seed(0)
    levels = np.sort(TwoMode(5.0, 0.2).sample(4000, generator=generator), axis=-1)
    padded = np.concatenate([np.zeros((4000, 1)), levels], axis=1)
    assert spacings(padded, PAIRS[0]).mean() == pytest.approx(sqrt(pi) * 0.2, rel=0.03)


def test_unfolding_by_the_other_heads_gives_the_surmise_and_tells_poisson() -> None:
    generator = torch.Generator().manual_seed(0)
    random = laguerre_eigenvalues((64, 16), count=60, generator=generator)
    assert distance(unfolded_spacings(random), WignerSurmise().distribution) < 0.05
    independent = np.sort(np.random.default_rng(0).permutation(random.ravel()).reshape(60, 16))
    assert distance(unfolded_spacings(independent), WignerSurmise().distribution) > 0.15
    wigner = hermite_eigenvalues(16, count=60, generator=generator)
    assert distance(unfolded_spacings(wigner), WignerSurmise().distribution) < 0.05


def test_the_simulated_level_follows_the_equation_and_the_machine_comes_to_its_rest() -> None:
    case = ModeCase(9.0, 4.0, 0.001, times=(30.0,), start=(4.5, 0.1), runs=600, batch=64)
    found = run_mode(case)
    assert found["distance_level"][0] < 1.95 / sqrt(600) + 0.01
    assert found["machine"][0].mean() == pytest.approx(5.0, abs=0.02)
    width = sqrt(0.001 / 0.3125)  # g²/V″
    assert found["machine"][0].std() == pytest.approx(width, rel=0.12)


def test_the_learnt_kernel_keeps_the_lowest_modes_up_to_the_mass() -> None:
    variances = torch.tensor([10.0, 0.5, 1e-3, 0.0], dtype=torch.float64)
    assert learnt(variances, 4, 100.0).tolist() == [0.1, 2.0, 100.0, 100.0]
    assert learnt(variances, 1, 100.0).tolist() == [0.1, 100.0, 100.0, 100.0]
