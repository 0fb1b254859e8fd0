"""The realised decrease: a line search that leaves no trace."""

from __future__ import annotations

import pytest
import torch

from spectrain.descent import LeastSquares, realised_decrease


def problem(generator: torch.Generator) -> tuple[LeastSquares, torch.Tensor]:
    features = torch.randn(8, 40, generator=generator, dtype=torch.float64).relu()
    truth = torch.randn(6, 8, generator=generator, dtype=torch.float64)
    return LeastSquares(features, truth @ features), torch.zeros(6, 8, dtype=torch.float64)


def test_it_is_never_below_the_natural_steps(generator: torch.Generator) -> None:
    least_squares, weights = problem(generator)
    gradient = least_squares.gradient(weights)
    now = least_squares.loss(weights).item()
    euclidean = now - least_squares.loss(least_squares.euclidean_step(weights)).item()
    spectral = now - least_squares.loss(least_squares.spectral_step(weights)).item()
    found = realised_decrease(
        lambda: least_squares.loss(weights).item(),
        weights,
        gradient,
        euclidean_length=(gradient.norm() / least_squares.euclidean_curvature).item(),
        spectral_length=(
            torch.linalg.matrix_norm(gradient, "nuc") / least_squares.spectral_curvature
        ).item(),
    )
    assert found.euclidean >= euclidean * (1 - 1e-12)
    assert found.spectral >= spectral * (1 - 1e-12)


def test_the_best_length_is_found_from_far_away(generator: torch.Generator) -> None:
    """Within a factor 2 of the exact minimiser, whose decrease is ⟨G,D⟩²/(2·curvature)."""
    least_squares, weights = problem(generator)
    gradient = least_squares.gradient(weights)
    exact = gradient.square().sum() ** 2 / (
        2 * (gradient @ least_squares.features).square().sum() / least_squares.samples
    )
    for start in (1e-3, 1e3):
        found = realised_decrease(
            lambda: least_squares.loss(weights).item(), weights, gradient,
            euclidean_length=start, spectral_length=start,
        )  # fmt: skip
        assert 0.75 * exact.item() <= found.euclidean <= exact.item() * (1 + 1e-12)


def test_the_parameter_is_put_back_bit_by_bit_even_after_an_error() -> None:
    weights = torch.nn.Parameter(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    before = weights.detach().clone()
    calls = iter([1.0, 0.5])

    def failing() -> float:
        return next(calls)

    with pytest.raises(StopIteration):
        realised_decrease(
            failing, weights, torch.ones(3, 3), euclidean_length=1.0, spectral_length=1.0
        )
    assert torch.equal(weights, before)


def test_no_gain_is_zero_and_the_ratio_says_so() -> None:
    weights = torch.zeros(2, 2)
    found = realised_decrease(
        lambda: weights.square().sum().item(), weights, torch.eye(2),
        euclidean_length=1.0, spectral_length=1.0,
    )  # fmt: skip
    assert (found.euclidean, found.spectral) == (0.0, 0.0)
    assert found.ratio != found.ratio
