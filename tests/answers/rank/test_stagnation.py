"""The link of pace and rank: what it finds, and how often it finds what is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import pearsonr

from spectrain.answers.rank.stagnation import FEWEST, _forgotten, link

Pair = tuple[np.ndarray, np.ndarray]


def autoregressive(phi: float) -> Callable[[np.random.Generator, int], Pair]:
    def make(generator: np.random.Generator, count: int) -> Pair:
        first, second = lfilter([1.0], [1.0, -phi], generator.standard_normal((2, count + 50)))
        return first[50:], second[50:]

    return make


def exponential(noise: float) -> Callable[[np.random.Generator, int], Pair]:
    """Two courses that fall at rates of their own and level off."""

    def make(generator: np.random.Generator, count: int) -> Pair:
        time, rates = np.linspace(0, 1, count), generator.uniform(0.05, 0.5, (2, 1))
        first, second = np.exp(-time / rates) + noise * generator.standard_normal((2, count))
        return first, second

    return make


def test_the_correlation_is_that_of_second_differences_at_the_lag() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal(50)
    y = np.concatenate([[0.0, 0.0], x[:-2]]) + 0.2 * generator.standard_normal(50)
    found = link(x, y, np.random.default_rng(1))
    assert found is not None
    assert found.lag == 2
    expected = pearsonr(np.diff(x, 2)[:-2], np.diff(y, 2)[2:]).statistic
    assert found.correlation == pytest.approx(expected, abs=0.01)  # about 0, not about means
    assert found.found


def test_rank_that_follows_has_a_negative_lag() -> None:
    pace = np.random.default_rng(0).standard_normal(50)
    found = link(np.concatenate([[0.0], pace[:-1]]), pace, np.random.default_rng(1))
    assert found is not None
    assert found.lag == -1


def test_courses_without_fluctuations_say_nothing() -> None:
    """Two exponentials correlate at .9 and more, about straight lines still at .8."""
    x, y = exponential(0.0)(np.random.default_rng(0), 60)
    assert pearsonr(x, y).statistic > 0.8
    assert link(x, y, np.random.default_rng(1)) is None


@pytest.mark.parametrize("count", [40, 60])
@pytest.mark.parametrize(
    "make",
    [autoregressive(0.0), autoregressive(0.98), exponential(0.01), exponential(0.1)],
    ids=["white", "random walk", "sharp courses", "noisy courses"],
)
def test_few_false_alarms(make: Callable[[np.random.Generator, int], Pair], count: int) -> None:
    """At most 5 % of the runs: measured 0.5 to 3.9 % of 1,000. Here 60, of which 7 are 12 %."""
    alarms = 0
    for seed in range(60):
        pair = make(np.random.default_rng(seed), count)
        found = link(*pair, np.random.default_rng(9), placebos=199)
        alarms += found is not None and found.found
    assert alarms <= 7  # a rate of 5 % passes 7 in 1 of 100 tries


def test_a_link_under_a_common_course_is_found() -> None:
    """Measured 94 % at 60 samples, where the pace is the rank's fluctuation and as much noise."""
    found = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        course, z = np.exp(-np.linspace(0, 4, 60)), generator.standard_normal(60)
        pace = course + 0.1 * z + 0.1 * generator.standard_normal(60)
        told = link(course + 0.1 * z, pace, np.random.default_rng(9), placebos=199)
        found += told is not None and told.found
    assert found >= 8


def test_placebos_scatter_as_much_as_independent_series_do() -> None:
    """Σρ² of white noise: 35/18 of second differences, 157/90 of placebos in stretches of 5."""
    generator = np.random.default_rng(0)
    x, y = np.diff(generator.standard_normal((2, 100_000)), 2)
    assert _forgotten(x, y) == pytest.approx((35 / 18 / (157 / 90)) ** 0.5, abs=2e-3)


def test_what_is_too_short_or_constant_says_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal(FEWEST)
    assert link(noise[1:], noise[1:], np.random.default_rng(0)) is None
    assert link(noise, np.ones(FEWEST), np.random.default_rng(0)) is None
