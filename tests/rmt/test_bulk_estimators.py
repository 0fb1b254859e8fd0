"""The estimators against a naive transcription of what they maximise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from spectrain.rmt import MarchenkoPastur, RepelledBulk, laguerre_eigenvalues
from spectrain.rmt.bulk_estimators import (
    BulkLaw,
    Part,
    Scale,
    freedman_diaconis,
    histogram_scale,
    largest_gap,
    likelihood_scale,
    start,
)

LAWS: dict[str, BulkLaw] = {
    "marchenko_pastur": MarchenkoPastur(0.4),
    "square": MarchenkoPastur(1.0),
    "repelled": RepelledBulk((60, 40), 1.1, (5.0, 7.0)),
}


def naive_log_likelihood(levels: np.ndarray, law, log_scale: float) -> float:
    """n_< log F(l/c) + Σ log p(x/c)/c + n_> log(1 − F(u/c)), cuts set at the scale of the mean."""
    centre = levels.mean() / law.moment(1)
    low, high = centre * law.quantile(np.array([0.1, 0.9]))
    c = np.exp(log_scale)
    seen = levels[(levels >= low) & (levels <= high)]
    return float(
        (levels < low).sum() * np.log(law.distribution(low / c))
        + np.log(law.density(seen / c) / c).sum()
        + (levels > high).sum() * np.log(1 - law.distribution(high / c))
    )


def sampled(name: str, generator) -> np.ndarray:
    return laguerre_eigenvalues((100, 40), count=6, generator=generator, variance=1.3)


@pytest.mark.parametrize("name", LAWS)
def test_likelihood_is_maximised(name, generator):
    law, levels = LAWS[name], sampled(name, generator)
    found = likelihood_scale([Part(levels, law)])
    for row, log_scale in zip(levels, found.log, strict=True):
        best = minimize_scalar(
            lambda t, row=row: -naive_log_likelihood(row, law, t),
            bounds=(log_scale - 0.1, log_scale + 0.1),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert log_scale == pytest.approx(best.x, abs=2e-4)  # table of 1025 points: 3e-5


@pytest.mark.parametrize("name", LAWS)
def test_mass_counts_below_the_cut(name, generator):
    law, levels = LAWS[name], sampled(name, generator)
    found = likelihood_scale([Part(levels, law)])
    cuts = levels.mean(-1) / law.moment(1) * law.quantile(0.9)
    expected = levels.shape[1] * law.distribution(cuts / np.exp(found.log))
    np.testing.assert_allclose(found.mass, (levels <= cuts[:, None]).sum(-1) / expected, rtol=1e-4)


@pytest.mark.parametrize("name", LAWS)
def test_least_squares_are_least(name, generator):
    law, levels = LAWS[name], sampled(name, generator)
    parts = [Part(levels, law)]
    found, bins, centre = histogram_scale(parts), freedman_diaconis(parts), np.exp(start(parts))

    def naive_cost(row: int, log_scale: float) -> tuple[float, float]:
        shares = np.histogram(levels[row] / centre[row], bins)[0] / levels.shape[1]
        model = np.diff(law.distribution(bins * centre[row] / np.exp(log_scale)))
        mass = shares @ model / (model @ model)
        return float(((shares - mass * model) ** 2).sum()), float(mass)

    grid = np.linspace(-0.45, 0.45, 901)
    for row in range(len(levels)):
        cost, mass = naive_cost(row, found.log[row])
        near = [naive_cost(row, t + np.log(centre[row]))[0] for t in grid]
        assert cost <= min(near) + 1e-5
        assert found.mass[row] == pytest.approx(mass, rel=0.01)


@pytest.mark.parametrize("estimator", [likelihood_scale, histogram_scale])
def test_scaling_the_levels_shifts_the_logarithm(estimator, generator):
    law, levels = LAWS["marchenko_pastur"], sampled("", generator)
    small, large = (estimator([Part(c * levels, law)]) for c in (1.0, 7.0))
    np.testing.assert_allclose(large.log - small.log, np.log(7.0), atol=1e-9)
    np.testing.assert_allclose(large.mass, small.mass)


def test_equal_parts_say_the_same_as_one(generator):
    law, levels = LAWS["marchenko_pastur"], sampled("", generator)
    once, twice = (likelihood_scale([Part(levels, law)] * times) for times in (1, 2))
    np.testing.assert_allclose(twice.log, once.log, atol=1e-9)
    np.testing.assert_allclose(twice.mass, once.mass)


def test_bins_are_freedman_and_diaconis(generator):
    law, levels = (
        MarchenkoPastur(0.25),
        laguerre_eigenvalues((4000, 1000), count=1, generator=generator),
    )
    bins = freedman_diaconis([Part(levels, law)])
    reference = np.histogram_bin_edges(levels[0], bins="fd")
    assert np.diff(bins)[0] == pytest.approx(np.diff(reference)[0], rel=0.05)
    assert bins[0] < law.edges[0] < law.edges[1] < bins[-1]


def test_largest_gap_is_the_kolmogorov_distance_below_the_cut(generator):
    law, levels = MarchenkoPastur(0.4), sampled("", generator)
    scale = Scale(np.full(6, 0.2), np.ones(6))
    found = largest_gap([Part(levels, law)], scale)
    for row, gap in zip(levels, found, strict=True):
        u = law.distribution(row / np.exp(0.2))
        steps = (np.arange(40) + 0.5) / 40
        assert gap == pytest.approx(np.abs(u - steps)[u <= 0.9].max(), abs=1e-4)
