"""The scan against its definition, and against the package powerlaw."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.rmt import PowerLaw, fit_power_law
from spectrain.rmt.power_law import ROWS


def naive_scan(values: np.ndarray) -> tuple[float, float, float, int]:
    """α, x_min, D and n of the definition, one start after the other."""
    ordered = np.sort(values)
    best = (np.nan, np.nan, np.inf, 0)
    for first in range(ordered.size - 1):
        tail = ordered[first:]
        total = np.log(tail / tail[0]).sum()
        if total <= 1e-12:
            continue
        alpha = 1 + tail.size / total
        theory = 1 - (tail / tail[0]) ** (1 - alpha)
        distance = np.abs(theory - np.arange(tail.size) / tail.size).max()
        if distance < best[2]:
            best = (alpha, tail[0], distance, tail.size)
    return best


def mixed(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0.1, 1, count), 1 + rng.pareto(1.7, count)])


@given(st.integers(2, 80), st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_scan_is_its_definition(count, seed, scale):
    values = scale * mixed(count, seed)
    fit = fit_power_law(values)
    alpha, start, distance, size = naive_scan(values)
    assert fit.distance == pytest.approx(distance, rel=1e-6)
    assert fit.law.exponent == pytest.approx(alpha, rel=1e-6)
    assert fit.law.start == pytest.approx(start)
    assert fit.count == size
    assert fit.error == pytest.approx((alpha - 1) / np.sqrt(size))


def test_more_values_than_one_block_of_rows():
    values = mixed(2 * ROWS, 3)
    fit = fit_power_law(values)
    assert (fit.law.exponent, fit.law.start) == pytest.approx(naive_scan(values)[:2])


def test_eigenvalues_of_a_weight_matrix():
    """The definition is about λ = σ²."""
    w = np.random.default_rng(0).standard_t(2.5, size=(200, 100))
    values = np.linalg.svd(w, compute_uv=False) ** 2
    fit = fit_power_law(values)
    assert (fit.law.exponent, fit.distance) == pytest.approx(
        (naive_scan(values)[0], naive_scan(values)[2])
    )


def test_powerlaw_agrees():
    powerlaw = pytest.importorskip("powerlaw")
    values = mixed(300, 1)
    fit = fit_power_law(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = powerlaw.Fit(values, xmin=fit.law.start, verbose=False).power_law
        assert fit.law.exponent == pytest.approx(theirs.alpha)
        assert fit.distance == pytest.approx(theirs.D, abs=1 / fit.count)
        assert fit.error == pytest.approx(theirs.sigma)


def test_the_exponent_has_the_stated_error(generator):
    law = PowerLaw(2.5, 3.0)
    deviations = []
    for _ in range(100):
        values = law.sample(400, generator=generator)
        fit = fit_power_law(values)
        deviations.append((fit.law.exponent - 2.5) / fit.error)
    # scanning for the start adds to the spread of the fit at a known start
    assert abs(np.mean(deviations)) < 0.5
    assert 0.7 < np.std(deviations) < 1.8


def test_ties_are_no_tail():
    values = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 8.0, 8.0])
    assert np.isfinite(fit_power_law(values).law.exponent)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="rank-deficient"):
        fit_power_law(np.array([0.0, 1.0, 2.0]))
    with pytest.raises(InputError, match="equal"):
        fit_power_law(np.ones(4))
    with pytest.raises(InputError, match="at least 2"):
        fit_power_law(np.ones(1))
    with pytest.raises(InputError, match="exponent"):
        PowerLaw(1.0, 1.0)
