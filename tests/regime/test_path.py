"""The noise twin's path against the recursion at every step, and against simulation."""

import math

import numpy as np
import pytest

from spectrain.regime import (
    NoiseUpdate,
    adamw_noise,
    equilibrium,
    expected_squared_norms,
    noise_path,
    relaxations_passed,
)


def through(steps, values):
    return lambda at: np.interp(at, steps, values)


def constant(value):
    return lambda at: np.full(len(at), value)


def test_the_path_is_that_of_every_step():
    """Piecewise between sparse records against the recursion at every step."""
    steps = np.arange(0, 2001, 100)
    rates = np.interp(np.arange(2001), [0, 500, 2000], [0.0, 0.02, 0.004])
    update = adamw_noise(50)
    path = noise_path(
        steps,
        7.0,
        rates=through(steps, rates[steps]),
        decays=constant(0.3),
        energies=constant(update.energy),
        update=update,
    )
    exact = expected_squared_norms(update, initial=7.0, learning_rates=rates[1:], weight_decay=0.3)
    assert path.squared == pytest.approx(np.append(7.0, exact)[steps], rel=2e-3)  # 5e-4
    last = equilibrium(update, learning_rate=0.004, weight_decay=0.3)
    assert math.sqrt(path.equilibrium[-1]) == pytest.approx(last.norm)
    assert path.angle[-1] == pytest.approx(last.angular_update, rel=1e-3)
    summed = -2 * np.log1p(-rates[1:] * 0.3).sum()
    assert path.relaxations == pytest.approx(summed, rel=1e-3)
    assert path.initial[-1] == pytest.approx(7.0 * math.exp(-summed), rel=1e-2)


def test_energies_that_change_are_followed():
    """A step in the energy moves the norm at the pace of the decay."""
    steps = np.arange(0, 4001, 50)
    energies = np.where(np.arange(4001) < 2000, 1.0, 9.0)
    path = noise_path(
        steps,
        0.0,
        rates=constant(0.02),
        decays=constant(0.25),
        energies=through(np.arange(4001), energies),
        update=NoiseUpdate(1.0),
    )
    norm, expected = 0.0, [0.0]
    for step in range(1, 4001):
        norm = (1 - 0.005) ** 2 * norm + 0.02**2 * energies[step]
        expected.append(norm)
    assert path.squared == pytest.approx(np.array(expected)[steps], rel=2e-2, abs=1e-3)


def test_without_decay_norms_walk():
    steps = np.arange(0, 101, 10)
    path = noise_path(
        steps,
        1.0,
        rates=constant(0.1),
        decays=constant(0.0),
        energies=constant(2.0),
        update=NoiseUpdate(2.0),
    )
    assert path.squared == pytest.approx(1 + 0.02 * steps)
    assert np.isnan(path.equilibrium).all()
    assert path.relaxations == 0
    assert path.initial_share[-1] == pytest.approx(1 / 3)


def test_coupled_decay_of_sgd_with_momentum():
    """W settles at ηNσ²/(2λ(1−μ)): the decoupled formulas with λ/(1−μ), against simulation."""
    rate, decay, mu, entries = 0.02, 0.05, 0.9, 20_000
    rng = np.random.default_rng(0)
    w, b = np.zeros(entries), np.zeros(entries)
    for _ in range(1500):
        b = mu * b + rng.standard_normal(entries) + decay * w
        w = w - rate * b
    steps = np.arange(0, 1501, 10)
    path = noise_path(
        steps,
        0.0,
        rates=constant(rate),
        decays=constant(decay / (1 - mu)),
        energies=constant(entries / (1 - mu**2)),
        update=NoiseUpdate(1.0, ((1.0, mu),), coupled=True),
    )
    assert path.squared[-1] == pytest.approx((w**2).sum(), rel=0.03)  # 0.01
    exact = rate * entries / (decay * (1 - mu) * (2 - rate * decay / (1 + mu)))
    assert path.equilibrium[-1] == pytest.approx(exact, rel=0.006)  # half of ηλ/(1−μ)


def test_relaxations_add_up():
    steps = np.array([0, 100, 1000])
    passed = relaxations_passed(steps, constant(0.01), constant(0.5))
    assert passed == pytest.approx(-2 * math.log1p(-0.005) * steps)
