"""The repelled bulk: force balance, limits, and sampled matrices with outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrain.core import InputError
from spectrain.rmt import MarchenkoPastur, RepelledBulk


def pull_on(bulk: RepelledBulk, x: float) -> float:
    """Repulsion by the other bulk levels at x: (N − K) P∫ p(y)/(x − y) dy."""
    lower, upper = bulk.edges
    left, _ = quad(
        lambda y: float(bulk.density(y)),
        lower,
        upper,
        weight="cauchy",
        wvar=x,
        epsabs=1e-7,
        limit=400,
    )
    return -bulk.count * left


@pytest.mark.parametrize("shape", [(60, 40), (55, 50), (400, 20)])
@pytest.mark.parametrize("outliers", [(6.0,), (4.3, 4.5, 9.0)])
def test_forces_balance_everywhere(shape, outliers):
    """The equilibrium that the density solves, evaluated naively from the weight of the gas."""
    rows, columns = shape
    variance = 0.8
    bulk = RepelledBulk(shape, variance, outliers)
    lower, upper = bulk.edges
    for position in (0.2, 0.5, 0.8):
        x = lower + position * (upper - lower)
        outer = rows / (2 * variance) - (rows - columns) / (2 * x)
        outer += 0.5 * sum(1 / (outlier - x) for outlier in outliers)
        assert pull_on(bulk, x) == pytest.approx(outer, rel=2e-3)


@given(st.integers(1, 50), st.integers(0, 150), st.floats(1e-3, 1e3))
def test_without_outliers_it_is_marchenko_pastur(columns, more, variance):
    bulk = RepelledBulk((columns + more, columns), variance)
    law = MarchenkoPastur(columns / (columns + more), variance)
    x = law.quantile([0.01, 0.3, 0.7, 0.99])
    assert bulk.edges == law.edges
    np.testing.assert_allclose(bulk.distribution(x), law.distribution(x), atol=1e-7)
    np.testing.assert_allclose(bulk.density(x), law.density(x), rtol=1e-6)
    np.testing.assert_allclose(bulk.log_slope(x), law.log_slope(x), rtol=1e-6, atol=1e-6)


def test_distant_outliers_take_a_row_and_a_column_each():
    bulk = RepelledBulk((80, 40), 1.0, (1e9,) * 10)
    law = MarchenkoPastur(30 / 70, 70 / 80)
    np.testing.assert_allclose(bulk.edges, law.edges, rtol=1e-6)


@given(st.lists(st.floats(1.5, 50.0), min_size=1, max_size=15), st.integers(16, 80))
def test_it_ends_below_its_outliers(above, rows):
    outliers = tuple(2.0 * x for x in above)
    bulk = RepelledBulk((rows, 16), 1.0, outliers)
    lower, upper = bulk.edges
    assert 0 <= lower < upper < min(outliers)
    assert upper <= MarchenkoPastur(16 / rows).edges[1] * (1 + 1e-9)
    assert bulk.moment(0) == pytest.approx(1, abs=1e-6)


def additive(rng, rows, columns, count):
    w = rng.normal(size=(rows, columns)) / np.sqrt(rows)
    threshold = (columns / rows) ** 0.25
    w[np.arange(count), np.arange(count)] += 1.6 * threshold * rng.random(count) ** -0.4
    return w


def multiplicative(rng, rows, columns, count):
    w = rng.normal(size=(rows, columns)) / np.sqrt(rows)
    w[:, :count] *= 1.0 + 1.8 * rng.random(count) ** -0.4
    return w


@pytest.mark.parametrize("plant", [additive, multiplicative])
@pytest.mark.parametrize("shape", [(300, 200), (250, 250), (400, 100)])
def test_bulks_of_matrices_with_a_fifth_of_outliers(plant, shape):
    """Both kinds of outliers leave the same bulk, since only their positions enter."""
    rng = np.random.default_rng(0)
    count = shape[1] // 5
    errors = []
    for _ in range(6):
        levels = np.linalg.svd(plant(rng, *shape, count), compute_uv=False) ** 2
        bulk = RepelledBulk(shape, 1.0, tuple(levels[:count].tolist()))
        errors.append(levels[count:].mean() / bulk.moment(1) - 1)
    # √(2/MN) is the error of the mean of N levels; those that are left have a little more
    statistical = 1.5 * np.sqrt(2 / (shape[0] * shape[1]) / len(errors))
    assert np.mean(errors) == pytest.approx(0, abs=4 * statistical)  # measured up to 1.9 times


def test_counting_rows_and_columns_is_not_enough():
    """Outliers at a finite distance push harder than the (M − K) × (N − K) law knows."""
    rng = np.random.default_rng(0)
    levels = np.linalg.svd(additive(rng, 250, 250, 50), compute_uv=False) ** 2
    assert levels[50:].mean() < 0.98 * (200 / 250)  # measured 0.955, standard error 0.006


def test_sampled_bulks_follow_the_law(generator):
    bulk = RepelledBulk((90, 60), 2.0, (9.0, 12.0, 40.0))
    levels = bulk.sample(200, generator=generator)
    assert levels.shape == (200, 57)
    assert levels.mean() == pytest.approx(bulk.moment(1), rel=0.005)
    assert (levels**2).mean() == pytest.approx(bulk.moment(2), rel=0.01)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="outliers"):
        RepelledBulk((8, 2), 1.0, (5.0, 6.0))
    with pytest.raises(InputError, match="smallest_outlier"):
        RepelledBulk((8, 4), 1.0, (5.0, -6.0))
    with pytest.raises(InputError, match="M ≥ N"):
        RepelledBulk((4, 8), 1.0)
