"""The trend test holds its level on autocorrelated noise, finds trends, and intervals cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from spectrain.answers.trend import (
    ENOUGH,
    _block,
    _taken,
    median_interval,
    resample,
    shift_interval,
    trend,
)
from spectrain.core import InputError


def autoregressive(phi, size, count, generator):
    """Stationary AR(1) series, count × size."""
    innovations = generator.standard_normal((count, size + 200))
    series = np.zeros_like(innovations)
    for step in range(1, size + 200):
        series[:, step] = phi * series[:, step - 1] + innovations[:, step]
    return series[:, 200:]


def rejections(series, generator, resamples=199):
    return np.mean([trend(one, generator, resamples=resamples).p_value <= 0.05 for one in series])


# Measured with 1,500 series and 399 resamples (500 series for n = 400), nominal 0.05:
#   n      φ = 0    0.4    0.8
#   8       0.022  0.059  0.149
#   12      0.043  0.075  0.149
#   20      0.043  0.059  0.084
#   57      0.052  0.051  0.057
#   120     0.053  0.049  0.048
#   400     0.052  0.052  0.052
@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("size", [24, 60])
def test_false_positives_are_about_nominal(phi, size):
    generator = np.random.default_rng(1)
    rate = rejections(autoregressive(phi, size, 400, generator), generator)
    assert 0.02 <= rate <= 0.10  # 0.043 to 0.059 with 1,500 series; here ± 0.011


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "phi", "most"),
    [(8, 0.3, 0.09), (16, 0.3, 0.095), (24, 0.6, 0.09), (40, 0.8, 0.095), (60, 0.9, 0.11)],
)
def test_false_positives_over_many_series(size, phi, most):
    generator = np.random.default_rng(2)
    assert rejections(autoregressive(phi, size, 2000, generator), generator) <= most


@pytest.mark.parametrize("size", [8, 24, 60, 200])
def test_what_the_fitted_line_takes_from_neighbours(size):
    """Covariance I − H of residuals, in stretches. Measured: 11 % at 8, 0.7 % at 60."""
    line = np.stack([np.ones(size), np.arange(size)], axis=1)
    left = np.eye(size) - line @ np.linalg.pinv(line)
    length = _block(size)
    sums = [left[k : k + length, k : k + length].sum() for k in range(size - length + 1)]
    share = np.mean(sums) / length / (np.trace(left) / size)
    assert _taken(size) ** -2 == pytest.approx(share, rel=0.12 if size < 20 else 0.03)


def test_a_test_for_independent_noise_would_not_do():
    generator = np.random.default_rng(1)
    series = autoregressive(0.6, 60, 400, generator)
    naive = np.mean([spearmanr(np.arange(60), one).pvalue <= 0.05 for one in series])
    assert naive > 0.2  # 0.31


def test_unevenly_spaced_samples_of_a_slow_process():
    """Dense first, then every tenth step; correlation time 10 steps. Measured: 0.083."""
    generator = np.random.default_rng(3)
    steps = np.concatenate([np.arange(4), np.arange(10, 570, 10)])
    phi = np.exp(-np.diff(steps) / 10)
    series = generator.standard_normal((400, len(steps)))
    for place, one in enumerate(phi, start=1):
        series[:, place] = one * series[:, place - 1] + np.sqrt(1 - one**2) * series[:, place]
    assert rejections(series, generator) <= 0.12


@pytest.mark.parametrize(
    ("size", "phi", "fall", "least"),
    [(24, 0.0, 3, 0.85), (60, 0.0, 2, 0.93), (60, 0.6, 5, 0.93)],  # measured 0.93, 0.98, 0.98
)
def test_power_against_a_fall_of_some_standard_deviations(size, phi, fall, least):
    generator = np.random.default_rng(4)
    noise = autoregressive(phi, size, 150, generator) * np.sqrt(1 - phi**2)
    assert rejections(noise - fall * np.linspace(0, 1, size), generator) >= least


# Measured with 2,000 series, nominal 0.95, φ = 0, 0.3, 0.6: n = 8: 0.941, 0.904, 0.878;
# n = 16: 0.931, 0.929, 0.925; n = 24: 0.939, 0.943, 0.931; n = 60: 0.946, 0.943, 0.950.
@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_median_intervals_cover(phi):
    generator = np.random.default_rng(5)
    series = autoregressive(phi, 24, 400, generator)
    intervals = [median_interval(one, generator, resamples=199) for one in series]
    covered = np.mean([low <= 0 <= high for _, low, high in intervals])
    assert 0.90 <= covered <= 0.98


def test_shift_intervals_cover():
    generator = np.random.default_rng(6)
    series = autoregressive(0.3, 48, 300, generator)
    series[:, 24:] += 1.5
    intervals = [shift_interval(one[:24], one[24:], generator, resamples=199) for one in series]
    covered = np.mean([low <= 1.5 <= high for _, low, high in intervals])
    assert 0.90 <= covered <= 0.99


def test_monotone_series_of_any_shape_are_trends():
    for values in (np.geomspace(1, 1e6, 12), np.r_[0.0, np.full(11, 5.0)] + np.arange(12) * 1e-9):
        found = trend(values, np.random.default_rng(0))
        assert found.rho == pytest.approx(1.0)
        assert found.p_value == 1 / 2000
        assert trend(values[::-1], np.random.default_rng(0)).rho == pytest.approx(-1.0)


def test_constant_series_have_no_trend_and_an_exact_median():
    values = np.full(10, 0.25)
    assert trend(values, np.random.default_rng(0)).p_value == 1.0
    assert median_interval(values, np.random.default_rng(0)) == (0.25, 0.25, 0.25)


@given(st.lists(st.integers(-50, 50), min_size=ENOUGH, max_size=40))
def test_the_test_depends_on_ranks_alone(values):
    series = np.array(values, dtype=float)
    one = trend(series, np.random.default_rng(0), resamples=99)
    other = trend(series**3 + 7, np.random.default_rng(0), resamples=99)
    mirrored = trend(-series, np.random.default_rng(0), resamples=99)
    assert (one.rho, one.p_value) == (other.rho, other.p_value)
    assert mirrored.rho == pytest.approx(-one.rho)


@given(st.lists(st.floats(-5, 5), min_size=ENOUGH, max_size=40), st.floats(-3, 3))
def test_intervals_move_with_the_series_and_hold_the_median(values, shift):
    series = np.array(values)
    median, low, high = median_interval(series, np.random.default_rng(0), resamples=199)
    moved = median_interval(series + shift, np.random.default_rng(0), resamples=199)
    assert median == np.median(series)
    assert moved == pytest.approx((median + shift, low + shift, high + shift), abs=1e-9)
    assert low <= high


def test_resamples_have_the_autocorrelation_of_the_residuals_and_no_trend():
    generator = np.random.default_rng(7)
    residuals = autoregressive(0.7, 500, 1, generator)[0]
    made = resample(residuals, generator, 400)
    assert made.shape == (400, 500)
    centred = made - made.mean(axis=1, keepdims=True)
    lag_one = (centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum()
    assert lag_one == pytest.approx(0.72, abs=0.06)
    assert made.mean(axis=0) == pytest.approx(0.0, abs=0.5)  # 0.22 at most, over 500 places


def test_long_series_are_condensed():
    generator = np.random.default_rng(8)
    values = np.linspace(0, 1, 100_000) + generator.standard_normal(100_000)
    found = trend(values, generator, resamples=199)
    assert (found.samples, found.p_value) == (100_000, 1 / 200)


def test_the_same_generator_gives_the_same_answer():
    values = np.random.default_rng(0).standard_normal(20)
    runs = [trend(values, np.random.default_rng(9)).p_value for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("statistic", [trend, median_interval])
def test_short_and_broken_series_are_refused(statistic):
    with pytest.raises(InputError, match="too short; pass 8 values or more"):
        statistic(np.arange(7.0), np.random.default_rng(0))
    with pytest.raises(InputError, match="not finite; drop them first"):
        statistic(np.r_[np.arange(9.0), np.nan], np.random.default_rng(0))


def test_the_interval_of_a_skewed_series_holds_its_median() -> None:
    """Of 50 such series one had its whole interval beside its median."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        values = np.exp(1.5 * generator.standard_normal(12))
        median, low, high = median_interval(values, generator)
        assert low <= median <= high
