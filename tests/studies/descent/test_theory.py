"""Closed forms and kernels of the study against naive transcriptions."""

from __future__ import annotations

from math import log, pi

import numpy as np
import pytest
import torch
from torch import Tensor

from spectrain.descent import LeastSquares
from spectrain_studies.descent.dial.experiment import DialCase, run_dial
from spectrain_studies.descent.kernel.experiment import covariance, expansion
from spectrain_studies.descent.nuclear_ranks.experiment import (
    MODELS,
    Descent,
    IdentityCase,
    RanksCase,
    best_gain,
    draw_features,
    grid,
    run_identity,
    run_ranks,
)
from spectrain_studies.descent.spiked.experiment import (
    SpikedCase,
    draw_spiked,
    last_step,
    run_spiked,
)


def nuclear_rank(matrix: Tensor) -> float:
    values = torch.linalg.svdvals(matrix)
    return (values.sum() ** 2 / values.square().sum()).item()


@pytest.mark.parametrize("model", MODELS)
def test_the_closed_form_is_gradient_descent(model: str, generator: torch.Generator) -> None:
    features, teacher, truth = draw_features(model, 12, generator)
    problem = LeastSquares(features, truth @ teacher)
    count = problem.samples
    descent = Descent.of(truth @ teacher @ features.mT / count, features @ features.mT / count)
    assert descent.rate == pytest.approx(1 / problem.euclidean_curvature.item())
    weights = torch.zeros_like(truth)
    for step in range(6):
        gradient = problem.gradient(weights)
        assert torch.allclose(descent.gradient(step), gradient, atol=1e-12)
        found = descent.nuclear_ranks([step])[0].item()
        assert found == pytest.approx(nuclear_rank(gradient), rel=1e-9)
        weights = problem.euclidean_step(weights)
    assert run_identity(IdentityCase(model, 12, 20, 0))["errors"].max() < 1e-10


def test_the_best_length_is_the_best(generator: torch.Generator) -> None:
    features, _, truth = draw_features("realizable", 8, generator)
    problem = LeastSquares(features, truth @ features)
    weights = torch.zeros_like(truth)
    gradient = problem.gradient(weights)
    moment = features @ features.mT / problem.samples
    gain = best_gain(gradient, gradient, moment).item()
    lengths = torch.linspace(0, 10, 2001, dtype=torch.float64)
    tried = [problem.loss(weights) - problem.loss(weights - x * gradient) for x in lengths]
    assert max(tried).item() == pytest.approx(gain, rel=1e-3)


def test_gains_of_specgd_are_those_of_the_problem() -> None:
    case = RanksCase("realizable", 12, grid(8, 2, 2), seed=1)
    found = run_ranks(case)
    assert np.shape(found["gains"]) == (4, 3)
    features, _, truth = draw_features("realizable", 12, torch.Generator().manual_seed(1))
    problem = LeastSquares(features, truth @ features)
    weights = problem.euclidean_step(torch.zeros_like(truth))
    before = problem.loss(weights)
    gains = [
        before - problem.loss(step(weights))
        for step in (problem.spectral_step, problem.euclidean_step)
    ]
    assert found["gains"][1][0] == pytest.approx((gains[0] / gains[1]).item(), rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_spiked_models_satisfy_their_assumptions(model: str, generator: torch.Generator) -> None:
    case = SpikedCase(model, 64, 0.5, 1.0, 2, seed=0)
    problem = draw_spiked(case, generator)
    values = torch.linalg.eigvalsh(problem.moment)
    assert values[0] >= 0.5 - 1e-9
    assert values[-3] <= 1.5 + 1e-9
    assert 64 <= values[-1] <= 65.5
    assert 8 <= values[-2] <= 9.5
    assert problem.truth.shape == (64, 64 if model == "realizable" else 96)
    assert problem.bulk.shape == (64, 62)
    assert case.window == (int(np.ceil(2 * 8 * log(64))), 64)
    found = run_spiked(case)
    assert found["lasting"][0] > found["lasting"][1]
    assert ("times" in found) == (model == "realizable")


def test_times_to_accuracy_are_those_of_the_loss() -> None:
    case = SpikedCase("realizable", 16, 1.0, 1.0, 1, seed=3)
    problem = draw_spiked(case, torch.Generator().manual_seed(3))
    shrink = torch.eye(16) - problem.moment / torch.linalg.eigvalsh(problem.moment)[-1]
    error, losses = problem.truth, []
    for _ in range(400):
        losses.append((error @ problem.moment @ error.mT).trace().item())
        error = error @ shrink
    below = np.argmax(np.array(losses) <= 1e-2 * losses[0])
    assert run_spiked(case)["times"][0] == pytest.approx(below, abs=1)


def test_last_step() -> None:
    assert last_step(lambda t: t <= 12, 0, 100) == 12
    assert last_step(lambda t: t < 3, 5, 100) == 5


def test_covariance_of_relu_features(generator: torch.Generator) -> None:
    rows = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    inputs = torch.randn(5, 400_000, generator=generator, dtype=torch.float64)
    expected = torch.cov((rows @ inputs).relu())
    assert torch.allclose(covariance(rows, rows), expected, atol=0.05)  # measured 0.01


def test_expansion_is_exact_on_the_diagonal_and_close_off_it() -> None:
    angle = torch.tensor(0.05, dtype=torch.float64)  # cosine of the two rows
    rows = torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    rows[1] = 3 * torch.stack([angle, (1 - angle**2).sqrt()])
    error = covariance(rows, rows) - expansion(rows)
    assert error.diagonal().abs().max() < 1e-12
    assert error[0, 1].abs() < 2 * 6 * 0.05**4 / (24 * 2 * pi)


def test_the_dial_stops_measuring_at_round_off() -> None:
    found = run_dial(DialCase(6, 0.0, 4, seed=0))
    assert found["stable_rank"] == pytest.approx(6)
    assert np.isfinite(found["gains"][0])
    assert np.isnan(found["gains"][2])
