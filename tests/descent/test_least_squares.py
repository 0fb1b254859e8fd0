"""Least squares: the identities, the two-sided interval, and Figure 3 of the source."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spectrain.core import InputError
from spectrain.descent import Curvature, LeastSquares, decrease_interval, margin, natural_steps
from spectrain.matrix import nuclear_rank, polar, spectrum, stable_rank


def random_features(activation: str = "relu", seed: int = 0) -> tuple[LeastSquares, Tensor]:
    """The random-feature problem of Figures 3 and 11: dimension 100, 50 inputs, 400 samples."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = draw(50, 400)
    hidden = draw(100, 50) / 50**0.5
    if activation == "relu":
        features = (hidden @ inputs).relu()
    else:
        gate = draw(100, 50) / 50**0.5
        features = torch.nn.functional.silu(hidden @ inputs) * (gate @ inputs)
    truth = draw(100, 100) / 100**0.5
    return LeastSquares(features, truth @ features), truth


def nuclear_rank_of(matrix: Tensor) -> float:
    return nuclear_rank(spectrum(matrix, method="exact")).item()


@pytest.fixture(scope="module")
def figure_3() -> tuple[LeastSquares, Tensor]:
    return random_features()


def test_figure_3_is_reproduced_to_its_digits(figure_3: tuple[LeastSquares, Tensor]) -> None:
    """The source's "MSE" is the loss, with its ½; measured here: all printed digits equal."""
    problem, _ = figure_3
    assert stable_rank(spectrum(problem.features)).item() == pytest.approx(3.0043, abs=5e-5)
    assert 1 / problem.euclidean_curvature.item() == pytest.approx(0.05943, abs=5e-6)
    assert 1 / problem.spectral_curvature.item() == pytest.approx(0.01978, abs=5e-6)
    euclidean = {0: 27.46, 1: 15.38, 10: 7.453, 100: 0.8309, 500: 0.0456, 999: 4.225e-3}
    spectral = {1: 3.065, 10: 0.158, 100: 4.30e-3, 500: 1.60e-4, 999: 3.769e-5}
    for step, expected in ((problem.euclidean_step, euclidean), (problem.spectral_step, spectral)):
        weights = torch.zeros(100, 100, dtype=torch.float64)
        for number in range(1000):
            if number in expected:
                mse = problem.loss(weights).item()
                assert mse == pytest.approx(expected[number], rel=2e-3), (step.__name__, number)
            weights = step(weights)


def test_nuclear_rank_along_gradient_descent_peaks_where_the_source_says(
    figure_3: tuple[LeastSquares, Tensor],
) -> None:
    problem, _ = figure_3
    weights = torch.zeros(100, 100, dtype=torch.float64)
    course = []
    for _ in range(80):
        course.append(nuclear_rank_of(problem.gradient(weights)))
        weights = problem.euclidean_step(weights)
    assert course[0] == pytest.approx(6.47, abs=5e-3)
    assert course[1] == pytest.approx(36.4, abs=0.05)
    assert max(course) == pytest.approx(62.39, abs=5e-3)
    assert course.index(max(course)) == 57


@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_the_two_sided_interval_is_never_violated(activation: str) -> None:
    """Both decreases, and so their ratio in [½, 2]·nr/st; measured position 0.50–0.94 of nr/st."""
    problem, _ = random_features(activation)
    features_rank = stable_rank(spectrum(problem.features, method="exact"))
    weights = torch.zeros(100, 100, dtype=torch.float64)
    for _ in range(200):
        gradient = problem.gradient(weights)
        now = problem.loss(weights)
        gains = [
            (now - problem.loss(step(weights))).item()
            for step in (problem.spectral_step, problem.euclidean_step)
        ]
        ratio = margin(spectrum(gradient, method="exact"), features_rank)
        low, high = decrease_interval(ratio)
        assert low.item() * (1 - 1e-9) <= gains[0] / gains[1] <= high.item() * (1 + 1e-9)
        weights = problem.euclidean_step(weights)


def test_guarantees_are_kept_and_at_most_doubled(figure_3: tuple[LeastSquares, Tensor]) -> None:
    problem, _ = figure_3
    weights = torch.zeros(100, 100, dtype=torch.float64)
    curvature = Curvature(
        problem.euclidean_curvature,
        problem.spectral_curvature,
        torch.zeros((), dtype=torch.float64),
    )
    for _ in range(50):
        gradient = problem.gradient(weights)
        steps = natural_steps(spectrum(gradient, method="exact"), curvature)
        now = problem.loss(weights)
        gained = (now - problem.loss(problem.euclidean_step(weights))).item()
        assert 1 <= gained / steps.euclidean_decrease.item() * (1 + 1e-9) <= 2 + 1e-6
        gained = (now - problem.loss(problem.spectral_step(weights))).item()
        assert 1 <= gained / steps.spectral_decrease.item() * (1 + 1e-9) <= 2 + 1e-6
        weights = problem.euclidean_step(weights)


def test_gradient_follows_its_closed_form(figure_3: tuple[LeastSquares, Tensor]) -> None:
    """∇L(W_t) = −W♯(I − ηB)ᵗB for a realizable target; measured relative error 2e-14 at t = 50."""
    problem, truth = figure_3
    moment = problem.features @ problem.features.mT / problem.samples
    rate = 1 / problem.euclidean_curvature
    contraction = torch.eye(100, dtype=torch.float64) - rate * moment
    weights = torch.zeros(100, 100, dtype=torch.float64)
    for step in range(51):
        expected = -truth @ torch.linalg.matrix_power(contraction, step) @ moment
        error = (problem.gradient(weights) - expected).norm() / expected.norm()
        assert error < 1e-10
        weights = problem.euclidean_step(weights)


def test_gradient_of_teacher_and_student_follows_its_closed_form(
    generator: torch.Generator,
) -> None:
    """∇L(W_t) = −W̄B̄(I − ηB)ᵗ with the teacher's features Ā ≠ A and B̄ = ĀAᵀ/n."""

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = draw(20, 120)
    student, teacher = (draw(40, 20) @ inputs).relu(), (draw(40, 20) @ inputs).relu()
    weights_of_teacher = draw(30, 40)
    problem = LeastSquares(student, weights_of_teacher @ teacher)
    cross = teacher @ student.mT / 120
    moment = student @ student.mT / 120
    contraction = torch.eye(40, dtype=torch.float64) - moment / problem.euclidean_curvature
    weights = torch.zeros(30, 40, dtype=torch.float64)
    for step in range(30):
        power = torch.linalg.matrix_power(contraction, step)
        expected = -weights_of_teacher @ cross @ power
        error = (problem.gradient(weights) - expected).norm() / expected.norm()
        assert error < 1e-10  # measured 1e-14
        weights = problem.euclidean_step(weights)


@given(
    outputs=st.integers(1, 6), inputs=st.integers(1, 6), samples=st.integers(1, 12),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_steps_are_the_naive_formulas(outputs: int, inputs: int, samples: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(inputs, samples, generator=g, dtype=torch.float64)
    y = torch.randn(outputs, samples, generator=g, dtype=torch.float64)
    w = torch.randn(outputs, inputs, generator=g, dtype=torch.float64, requires_grad=True)
    problem = LeastSquares(a, y)
    loss = ((w @ a - y) ** 2).sum() / (2 * samples)
    (gradient,) = torch.autograd.grad(loss, w)
    sigma = torch.linalg.svdvals(a)
    u, s, vh = torch.linalg.svd(gradient, full_matrices=False)
    spectral = w - s.sum() * samples / sigma.square().sum() * u @ vh
    euclidean = w - samples / sigma[0] ** 2 * gradient
    assert torch.allclose(problem.gradient(w), gradient, atol=1e-10)
    assert torch.allclose(problem.euclidean_step(w), euclidean, atol=1e-8)
    full_rank = s[-1] > 1e-6 * s[0]
    if full_rank:
        assert torch.allclose(problem.spectral_step(w), spectral, atol=1e-7)


def test_polar_step_of_a_rank_deficient_gradient_ignores_null_directions() -> None:
    gradient = torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64))
    assert torch.equal(polar(gradient).factor, torch.diag(torch.tensor([1.0, 0.0]).double()))


def test_mismatched_samples_are_refused() -> None:
    with pytest.raises(InputError, match="features have 3 columns, targets 2"):
        LeastSquares(torch.ones(2, 3), torch.ones(2, 2))
