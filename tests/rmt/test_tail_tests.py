"""Goodness of fit and comparison of tails."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.special import expn

from spectrain.core import InputError
from spectrain.rmt import PowerLaw, compare_tails, fit_power_law, power_law_p_value
from spectrain.rmt.power_law import PowerLawFit
from spectrain.rmt.tail_tests import _exponential_integral


def known_start(values: np.ndarray, start: float) -> PowerLawFit:
    tail = values[values >= start]
    exponent = 1 + tail.size / np.log(tail / start).sum()
    return PowerLawFit(PowerLaw(exponent, start), 0.0, tail.size, 0.0)


def test_p_values_of_true_tails_are_spread(generator):
    p_values = []
    for _ in range(60):
        values = PowerLaw(2.5, 1.0).sample(150, generator=generator)
        p_values.append(
            power_law_p_value(values, fit_power_law(values), generator=generator, replicates=20)
        )
    assert np.mean(np.array(p_values) <= 0.1) < 0.25  # 0.1 for independent draws
    assert 0.35 < np.mean(p_values) < 0.65


def test_a_body_without_a_tail_is_ruled_out(generator):
    values = np.linspace(1, 2, 300)
    assert power_law_p_value(values, fit_power_law(values), generator=generator) < 0.1


def test_same_generator_same_p_value():
    values = np.random.default_rng(0).lognormal(size=100)
    fit = fit_power_law(values)
    p_values = {
        power_law_p_value(values, fit, generator=torch.Generator().manual_seed(1)) for _ in range(2)
    }
    assert len(p_values) == 1


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("z", [1e-9, 0.1, 1.0, 30.0])
def test_exponential_integral(order, z):
    assert _exponential_integral(order, z) == pytest.approx(expn(order, z), rel=1e-11)


def test_the_right_tail_wins():
    rng = np.random.default_rng(0)
    power = 1 + rng.pareto(1.5, 1000)
    exponential = 1 + rng.exponential(size=1000)
    lognormal = np.exp(rng.normal(1.0, 0.5, 3000))
    truncated = power[rng.random(1000) < np.exp(-(power - 1) / 10)]
    assert compare_tails(power, known_start(power, 1.0))["exponential"].log_ratio > 50
    assert compare_tails(exponential, known_start(exponential, 1.0))["exponential"].log_ratio < -50
    found = compare_tails(lognormal, known_start(lognormal, 1.0))["lognormal"]
    assert found.log_ratio < -50
    assert found.p_value < 0.01
    assert compare_tails(truncated, known_start(truncated, 1.0))["truncated"].p_value < 0.01
    assert compare_tails(power, known_start(power, 1.0))["truncated"].p_value > 0.05


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("exponential", "exponential"),
        ("lognormal", "lognormal"),
        ("truncated", "truncated_power_law"),
    ],
)
def test_powerlaw_agrees(ours, theirs):
    """On lognormal data: towards a pure power law powerlaw's lognormal loses its digits."""
    powerlaw = pytest.importorskip("powerlaw")
    values = np.exp(np.random.default_rng(0).normal(1.0, 0.7, 800))
    fit = known_start(values, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = powerlaw.Fit(values, xmin=2.0, verbose=False)
        ratio, p_value = reference.distribution_compare("power_law", theirs)
    found = compare_tails(values, fit)[ours]
    assert found.log_ratio == pytest.approx(ratio, rel=0.02, abs=0.3)
    assert found.p_value == pytest.approx(p_value, rel=0.2, abs=0.02)


def test_truncated_is_never_worse_than_the_power_law(generator):
    for _ in range(5):
        values = PowerLaw(2.5, 1.0).sample(50, generator=generator)
        found = compare_tails(values, fit_power_law(values))["truncated"]
        assert found.log_ratio <= 0
        assert 0 <= found.p_value <= 1


def test_bad_input_is_refused(generator):
    values = PowerLaw(2.5, 1.0).sample(50, generator=generator)
    fit = fit_power_law(values)
    with pytest.raises(InputError, match="replicates"):
        power_law_p_value(values, fit, generator=generator, replicates=1)
    with pytest.raises(InputError, match="three values"):
        compare_tails(values, PowerLawFit(PowerLaw(2.0, float(values.max())), 0.0, 1, 0.0))
