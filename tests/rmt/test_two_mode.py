"""Two modes: the document's density is the marginal of two repelling levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf

from spectrain.core import InputError
from spectrain.rmt import (
    BINDER,
    TwoMode,
    WignerSurmise,
    binder_cumulant,
    fit_two_mode,
    fit_wigner_surmise,
)


def documents_density(x: float, sigma: float) -> float:
    bracket = 2 * np.exp(-(x**2) / (2 * sigma**2))
    bracket += np.sqrt(2 * np.pi) * x / sigma * erf(x / (np.sqrt(2) * sigma))
    return np.exp(-(x**2) / (2 * sigma**2)) / (4 * np.sqrt(np.pi) * sigma) * bracket


@given(st.floats(-5, 5), st.floats(0.1, 5), st.floats(-3, 3))
def test_density_is_the_documents(u, sigma, centre):
    law = TwoMode(centre, sigma)
    assert float(law.density(centre + u * sigma)) == pytest.approx(
        documents_density(u * sigma, sigma), rel=1e-7
    )


@pytest.mark.parametrize("x", [0.0, 0.7, 2.5])
def test_density_is_the_marginal_of_the_coulomb_gas(x):
    def joint(y: float) -> float:
        return abs(x - y) * np.exp(-(x**2 + y**2) / 2)

    mass = quad(joint, -12, x)[0] + quad(joint, x, 12)[0]
    norm = 4 * np.sqrt(np.pi)  # ∫∫|x − y| exp(−(x² + y²)/2)
    assert float(TwoMode(0.0, 1.0).density(x)) == pytest.approx(mass / norm, rel=1e-8)


def test_moments_and_binder_cumulant():
    law = TwoMode(0.0, 0.7)
    assert law.moment(2) == pytest.approx(1.5 * 0.49)
    assert law.moment(4) == pytest.approx(5.75 * 0.49**2)
    assert law.moment(4) / (3 * law.moment(2) ** 2) - 1 == pytest.approx(BINDER)
    assert pytest.approx(-0.148, abs=5e-4) == BINDER


def test_sampled_pairs_have_the_spacing_of_the_surmise(generator):
    law = TwoMode(3.0, 0.4)
    pairs = law.sample(20000, generator=generator)
    spacing = fit_wigner_surmise(pairs[:, 0] - pairs[:, 1])
    assert spacing.law.mean == pytest.approx(law.mean_spacing, abs=4 * spacing.errors["mean"])
    assert spacing.law.sigma == pytest.approx(0.4, rel=0.02)
    assert WignerSurmise(1, law.mean_spacing).sigma == pytest.approx(0.4)


def test_fit_has_the_stated_errors(generator):
    """Levels of a pair depend on each other: errors from single levels would be wrong."""
    law = TwoMode(3.0, 0.4)
    fits = [fit_two_mode(law.sample(100, generator=generator)) for _ in range(150)]
    for name, truth in (("centre", 3.0), ("sigma", 0.4)):
        values = np.array([getattr(fit.law, name) for fit in fits])
        errors = np.array([fit.errors[name] for fit in fits])
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(150))
        assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_fit_finds_the_maximum(generator):
    levels = TwoMode(3.0, 0.4).sample(200, generator=generator)
    fit = fit_two_mode(levels)

    def log_likelihood(centre: float, sigma: float) -> float:
        return float(np.log(TwoMode(centre, sigma).density(levels)).sum())

    best = log_likelihood(fit.law.centre, fit.law.sigma)
    for shift in (-0.01, 0.01):
        assert log_likelihood(fit.law.centre + shift, fit.law.sigma) < best
        assert log_likelihood(fit.law.centre, fit.law.sigma + shift) < best


def test_binder_cumulant_tells_two_modes_from_a_normal_law(generator):
    value, error = binder_cumulant(TwoMode(1.0, 0.2).sample(20000, generator=generator))
    assert value == pytest.approx(BINDER, abs=4 * error)
    value, error = binder_cumulant(np.random.default_rng(0).normal(size=(20000, 2)))
    assert value == pytest.approx(0, abs=4 * error)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="sigma"):
        TwoMode(0.0, 0.0)
    with pytest.raises(InputError, match="at least 10"):
        fit_two_mode(np.zeros((3, 2)))
    with pytest.raises(InputError, match="the same"):
        fit_two_mode(np.ones((30, 2)))
