"""Fokker-Planck: conservation, the exact Ornstein-Uhlenbeck solution, E₀ = 0 and ψ₀ = √P_s."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.rmt import FokkerPlanck, RBMMode, evolve_levels


@dataclass(frozen=True)
class Harmonic:
    """V = k x²/2."""

    rate: float

    def value(self, x):
        return self.rate * np.asarray(x) ** 2 / 2

    def drift(self, x):
        return -self.rate * np.asarray(x)

    def curvature(self, x):
        return np.full(np.shape(x), self.rate)


OSCILLATOR = FokkerPlanck(Harmonic(2.0), g=0.5, interval=(-4.0, 4.0), cells=800)


def normal(x, mean, variance):
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def test_stationary_law_of_the_oscillator():
    np.testing.assert_allclose(
        OSCILLATOR.stationary(), normal(OSCILLATOR.points, 0, 0.25 / 2), atol=1e-6
    )


def test_spectrum_of_the_oscillator_is_a_ladder():
    """E_n = nk/2, half the rates nk at which moments decay."""
    energies, states = OSCILLATOR.spectrum(4)
    np.testing.assert_allclose(energies, [0, 1, 2, 3], atol=2e-3)  # measured 8e-4 at n = 3
    np.testing.assert_allclose(states @ states.T * OSCILLATOR.width, np.eye(4), atol=1e-9)


def test_time_dependent_solution_of_the_oscillator():
    """A normal law stays normal: mean m e^{−kt}, variance g²/k + (v − g²/k) e^{−2kt}."""
    times = np.array([0.0, 0.1, 0.5, 2.0])
    solution = OSCILLATOR.evolve(normal(OSCILLATOR.points, 1.0, 0.02), times)
    for time, density in zip(times, solution, strict=True):
        variance = 0.125 + (0.02 - 0.125) * np.exp(-4 * time)
        expected = normal(OSCILLATOR.points, np.exp(-2 * time), variance)
        np.testing.assert_allclose(density, expected, atol=2e-3 * expected.max())


@pytest.mark.parametrize("g_squared", [0.01, 0.001])
def test_ground_state_of_the_rbm_mode(g_squared):
    """The document's check, for its two noises: E₀ = 0 and ψ₀ = √P_s."""
    equation = FokkerPlanck(RBMMode(9.0, 4.0), np.sqrt(g_squared), (0.0, 9.0), cells=4000)
    energies, states = equation.spectrum(3)
    assert energies[0] == pytest.approx(0, abs=1e-5)  # measured 4e-6
    overlap = (states[0] * np.sqrt(equation.stationary())).sum() * equation.width
    assert overlap == pytest.approx(1, abs=1e-8)
    # the well of the target and the start x = 0: rates K'(x_s) and K'(0), halved
    assert energies[2] == pytest.approx(0.3125 / 2, rel=0.05)
    assert energies[1] == pytest.approx((1 / 4 - 1 / 9) / 2, rel=0.05)


def test_energies_converge_with_the_square_of_the_width():
    def lowest(cells: int) -> float:
        return float(FokkerPlanck(RBMMode(9.0, 4.0), 0.1, (0.0, 9.0), cells).spectrum(1)[0][0])

    assert lowest(500) / lowest(1000) == pytest.approx(4, rel=0.2)


def test_effective_potential_is_the_documents():
    """U = V′²/8g² − V″/4, a double well on [0, μ²]."""
    equation = FokkerPlanck(RBMMode(9.0, 4.0), 0.1, (0.0, 9.0))
    x = np.array([0.5, 2.0, 5.0])
    mode = equation.potential
    expected = mode.drift(x) ** 2 / 0.08 - mode.curvature(x) / 4
    np.testing.assert_allclose(equation.effective_potential(x), expected)
    u = equation.effective_potential(equation.points)
    assert u[0] < u[300] > u[555]


def test_mass_is_conserved_and_the_end_is_stationary():
    equation = FokkerPlanck(RBMMode(9.0, 4.0), 0.1, (0.0, 9.0), cells=1000)
    solution = equation.evolve(normal(equation.points, 0.3, 0.01), np.array([0.0, 3.0, 300.0]))
    np.testing.assert_allclose(solution.sum(1) * equation.width, 1, rtol=1e-9)
    assert solution.min() > -1e-9
    np.testing.assert_allclose(solution[-1], equation.stationary(), atol=1e-6)


def test_slowest_decay_is_twice_the_first_energy():
    equation = FokkerPlanck(RBMMode(9.0, 4.0), 0.1, (0.0, 9.0), cells=1000)
    times = np.array([60.0, 90.0])
    solution = equation.evolve(normal(equation.points, 1.0, 0.05), times)
    distances = np.abs(solution - equation.stationary()).sum(1)
    rate = np.log(distances[0] / distances[1]) / 30
    assert rate == pytest.approx(2 * float(equation.spectrum(2)[0][1]), rel=0.02)


def test_langevin_equation_has_this_density(generator):
    equation = FokkerPlanck(RBMMode(9.0, 4.0), 0.3, (0.0, 9.0), cells=600)
    start, time = 2.0, 5.0
    density = equation.evolve(normal(equation.points, start, 1e-3), np.array([time]))[0]
    level = torch.full((4000, 1), start, dtype=torch.float64)
    end = evolve_levels(
        level,
        drift=lambda x: (1 / 4 - 1 / (9 - x)) * x,
        g=0.3,
        step=0.01,
        steps=500,
        generator=generator,
    )
    mean = (density * equation.points).sum() * equation.width
    spread = np.sqrt((density * (equation.points - mean) ** 2).sum() * equation.width)
    assert end.mean().item() == pytest.approx(mean, abs=4 * spread / np.sqrt(4000) + 0.01)
    assert end.std().item() == pytest.approx(spread, rel=0.06)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="length"):
        FokkerPlanck(Harmonic(1.0), 1.0, (1.0, 1.0))
    with pytest.raises(InputError, match="cells"):
        FokkerPlanck(Harmonic(1.0), 1.0, (0.0, 1.0), cells=2)
    with pytest.raises(InputError, match="levels"):
        OSCILLATOR.spectrum(0)
    with pytest.raises(InputError, match="no density"):
        OSCILLATOR.evolve(-np.ones(800), np.array([1.0]))
    with pytest.raises(InputError, match="ascending"):
        OSCILLATOR.evolve(np.ones(800), np.array([1.0, 0.5]))
