"""Marchenko-Pastur: the document's formula, and the matrices it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.rmt import MarchenkoPastur

ratios = st.floats(1e-3, 1.0)
variances = st.floats(1e-6, 1e6)


def naive_density(x: float, r: float, variance: float, area: float) -> float:
    """P_MP(x; σ², A) as the document writes it."""
    x_minus, x_plus = variance * (1 - r**0.5) ** 2, variance * (1 + r**0.5) ** 2
    if not x_minus < x < x_plus:
        return 0.0
    return area / (2 * np.pi * variance * r * x) * ((x_plus - x) * (x - x_minus)) ** 0.5


@given(ratios, variances, st.floats(0.1, 1.5), st.floats(0.01, 1.2))
def test_density_is_the_documents_formula(ratio, variance, area, position):
    law = MarchenkoPastur(ratio, variance, area)
    x = position * law.edges[1]
    expected = naive_density(x, ratio, variance, area)
    assert float(law.density(x)) == pytest.approx(expected, rel=1e-9)


@given(ratios, variances, st.floats(0.0, 1.0))
def test_scaling_the_variance_scales_the_law(ratio, variance, p):
    unit, scaled = MarchenkoPastur(ratio), MarchenkoPastur(ratio, variance)
    x = unit.quantile(p)
    assert float(scaled.distribution(variance * x)) == pytest.approx(
        float(unit.distribution(x)), abs=1e-7
    )


@given(ratios)
def test_moments_of_the_literature(ratio):
    law = MarchenkoPastur(ratio)
    assert law.moment(1) == pytest.approx(1)
    assert law.moment(2) == pytest.approx(1 + ratio)
    assert law.moment(3) == pytest.approx(1 + 3 * ratio + ratio**2)


def test_spectrum_of_a_dense_matrix():
    w = np.random.default_rng(0).normal(size=(1200, 300)) * np.sqrt(0.7 / 1200)
    levels = np.linalg.svd(w, compute_uv=False)[::-1] ** 2
    law = MarchenkoPastur.of_entries((1200, 300), 0.7 / 1200)
    gaps = law.distribution(levels) - (np.arange(300) + 0.5) / 300
    assert np.abs(gaps).max() < 0.01  # measured 0.004: rigid, where 300 draws would give 0.05


@given(ratios, st.floats(0.01, 0.99))
def test_log_slope_is_the_derivative(ratio, position):
    law = MarchenkoPastur(ratio, 2.0)
    lower, upper = law.edges
    x = lower + position * (upper - lower)
    h = 1e-5 * min(x - lower, upper - x)
    numerical = x * np.log(law.density(x + h) / law.density(x - h)) / (2 * h)
    assert float(law.log_slope(x)) == pytest.approx(float(numerical), rel=1e-4, abs=1e-4)


def test_the_hard_edge():
    law = MarchenkoPastur(1.0)
    assert law.edges == (0.0, 4.0)
    assert law.density(0.0) == np.inf
    assert float(law.distribution(1.0)) == pytest.approx(1 / 3 + np.sqrt(3) / (2 * np.pi))


def test_sample_counts_rows_from_the_ratio(generator: torch.Generator):
    law = MarchenkoPastur(0.25, 2.0)
    levels = law.sample(200, size=16, generator=generator)
    assert levels.shape == (200, 16)
    assert levels.mean() == pytest.approx(2.0, rel=0.02)  # sd 2√(2/64·16·200) = 0.6 %


@pytest.mark.parametrize(
    "fields", [(0.0, 1.0, 1.0), (1.5, 1.0, 1.0), (0.5, -1.0, 1.0), (0.5, 1.0, 0.0)]
)
def test_bad_parameters_are_refused(fields):
    with pytest.raises(InputError):
        MarchenkoPastur(*fields)


def test_probabilities_outside_are_refused():
    with pytest.raises(InputError, match="probability"):
        MarchenkoPastur(0.5).quantile(1.1)
