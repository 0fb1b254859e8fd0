"""Tracy-Widom: published numbers, and the Painlevé equation as a second opinion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import airy

from spectrain.core import InputError
from spectrain.rmt import TracyWidom, hermite_eigenvalues
from spectrain.rmt.tracy_widom import (
    HIGHEST,
    KNOTS,
    LOWEST,
    _log_odds,
    airy_operator,
    tabulate,
)


def painleve(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F₁ and F₂ from q″ = sq + 2q³, q ~ Ai: F₂ = exp −∫(x − s)q², F₁ = √F₂ exp −½∫q."""

    def flow(s, y):  # q, q′, ∫q², ∫(x − s)q², ∫q
        return [y[1], s * y[0] + 2 * y[0] ** 3, -(y[0] ** 2), -y[2], -y[0]]

    start = 7.0
    value, slope = airy(start)[:2]
    tail = slope**2 - start * value**2
    initial = [value, slope, tail, 0.0, 0.0]
    solution = solve_ivp(
        flow,
        (start, points.min()),
        initial,
        method="DOP853",
        t_eval=points[::-1],
        rtol=1e-12,
        atol=1e-14,
    )
    _, _, _, double, single = solution.y[:, ::-1]
    second = np.exp(-double)
    return np.sqrt(second) * np.exp(-single / 2), second


@pytest.mark.parametrize(
    ("beta", "mean", "variance"),
    [(1, -1.2065335745820, 1.607781034581), (2, -1.771086807411, 0.8131947928329)],
)
def test_published_mean_and_variance(beta, mean, variance):
    law = TracyWidom(beta)
    assert law.moment(1) == pytest.approx(mean, abs=5e-12)  # measured 6e-13
    assert law.moment(2) - law.moment(1) ** 2 == pytest.approx(variance, abs=5e-12)


def test_published_skewness():
    law = TracyWidom(1)
    mean, second, third = (law.moment(k) for k in (1, 2, 3))
    cumulant = third - 3 * mean * second + 2 * mean**3
    assert cumulant / (second - mean**2) ** 1.5 == pytest.approx(0.29346452408, abs=1e-9)


def test_quantiles_of_the_tables():
    np.testing.assert_allclose(
        TracyWidom(1).quantile([0.90, 0.95, 0.99]), [0.4501, 0.9793, 2.0234], atol=5e-5
    )


def test_painleve_agrees():
    s = np.linspace(-4, 3, 15)
    first, second = painleve(s)
    np.testing.assert_allclose(TracyWidom(1).distribution(s), first, atol=2e-6)  # measured 4e-7
    np.testing.assert_allclose(TracyWidom(2).distribution(s), second, atol=1e-8)


def test_tail_keeps_its_relative_accuracy():
    """1 − F₂ → ∫∫K_Ai = (2/3)(s²Ai² − sAi′²) − AiAi′/3, up to its square."""
    s = np.array([6.0, 9.0, 12.0])
    value, slope = airy(s)[:2]
    trace = (2 * s**2 * value**2 - 2 * s * slope**2 - value * slope) / 3
    np.testing.assert_allclose(TracyWidom(2).survival(s), trace, rtol=1e-7)


def test_determinants_do_not_depend_on_the_number_of_nodes():
    s = np.array([-6.0, -1.0, 3.0])
    coarse, fine = (np.linalg.eigvalsh(airy_operator(s, n)) for n in (44, 80))
    np.testing.assert_allclose(np.log1p(-coarse).sum(-1), np.log1p(-fine).sum(-1), rtol=1e-9)


def test_largest_eigenvalues_of_complex_matrices(generator):
    size = 400
    largest = hermite_eigenvalues(size, count=600, generator=generator, beta=2.0)[:, -1]
    scaled = (largest - 2) * size ** (2 / 3)
    law = TracyWidom(2)
    assert abs(scaled.mean() - law.moment(1)) < 4 * 0.9 / np.sqrt(600)


def test_outside_the_spline():
    law = TracyWidom(1)
    assert law.distribution(-50.0) < 1e-14
    assert law.survival(50.0) < 1e-18
    assert law.density([-50.0, 50.0]).tolist() == [0.0, 0.0]


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="probability"):
        TracyWidom(1).quantile([0.5, 1.0])


def test_the_table_is_what_the_determinants_give() -> None:
    """As far as float64 gives them: an error ε of an eigenvalue λ is one of ε/(1 − λ) of log F.

    In the left tail, where F is 1e-16, one rounding is 1e-6 of log F. Two processors whose LAPACK
    takes other paths differ by up to 16 of them there (5e-6), and by 2e-10 where F is above 1e-7.
    """
    knots = np.linspace(LOWEST, HIGHEST, KNOTS)
    law = np.stack([_log_odds(beta)(knots) for beta in (1, 2)])
    powers = np.linalg.eigvalsh(airy_operator(knots))[None] ** np.array([1, 2])[:, None, None]
    rounded = np.finfo(np.float64).eps * (1 / (1 - powers)).max(-1)
    assert (np.abs(law - tabulate()) <= 1e-12 + 100 * rounded).all()
    assert np.abs(law - tabulate())[law > -16].max() < 1e-8
