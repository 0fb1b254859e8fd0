"""Area and variance: truth inside the interval as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from spectrain.core import InputError
from spectrain.rmt import (
    MarchenkoPasturFit,
    fit_marchenko_pastur,
    laguerre_eigenvalues,
)

TRUE_VARIANCE = 2.0


def heavy_tailed_spectrum(shape, tail, rng, *, weakest=2.0, power=2.0) -> np.ndarray:
    """Eigenvalues of a random matrix of variance 2/M with a planted Pareto tail.

    The weakest planted singular value is ``weakest`` times the one that leaves a trace at all.
    """
    rows, columns = shape
    w = rng.normal(size=shape) * np.sqrt(TRUE_VARIANCE / rows)
    threshold = np.sqrt(TRUE_VARIANCE) * (columns / rows) ** 0.25
    strengths = weakest * threshold * rng.random(tail) ** (-1 / power)
    w[np.arange(tail), np.arange(tail)] += strengths
    return np.linalg.eigvalsh(w.T @ w)


def coverage(shape, fraction, runs, *, heads=1, **options) -> tuple[float, float, float]:
    """How often the intervals of A and σ² hold the truth, and how often p ≤ 0.1."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    tail = round(fraction * shape[1])
    inside = np.zeros((runs, 3))
    for run in range(runs):
        spectra = np.stack([heavy_tailed_spectrum(shape, tail, rng) for _ in range(heads)])
        fit = fit_marchenko_pastur(spectra, shape, generator=generator, **options)
        for column, (estimate, truth) in enumerate(
            [(fit.area, 1 - tail / shape[1]), (fit.variance, TRUE_VARIANCE)]
        ):
            inside[run, column] = estimate.interval[0] <= truth <= estimate.interval[1]
        inside[run, 2] = fit.p_value <= 0.1
    return tuple(inside.mean(axis=0))


def test_coverage_on_small_matrices():
    area, variance, rejected = coverage((64, 16), 3 / 16, 40)
    # 0.90 with three standard errors of 0.047; the slow tests below say more
    assert area >= 0.76
    assert variance >= 0.76
    assert rejected <= 0.25


@pytest.mark.slow
@pytest.mark.parametrize("method", ["likelihood", "histogram"])
@pytest.mark.parametrize(
    ("shape", "fraction", "heads", "runs"),
    [
        ((64, 16), 0.0, 1, 1000),
        ((64, 16), 0.1875, 1, 1000),
        ((64, 16), 0.1875, 4, 600),
        ((256, 64), 0.2, 1, 600),
        ((256, 256), 0.1, 1, 400),
        ((384, 256), 0.0, 1, 400),
        ((512, 256), 0.2, 1, 400),
    ],
)
def test_coverage(shape, fraction, heads, runs, method):
    area, variance, rejected = coverage(shape, fraction, runs, heads=heads, method=method)
    assert 0.85 <= area <= 0.95
    assert 0.85 <= variance <= 0.95
    assert rejected <= 0.15


@pytest.mark.slow
def test_coverage_where_the_simulation_is_narrower_than_the_matrix():
    area, variance, _ = coverage((1024, 768), 0.1, 300)
    assert 0.85 <= area <= 0.95
    assert 0.85 <= variance <= 0.95


def single_fit(shape, tail, **options) -> MarchenkoPasturFit:
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    spectrum = heavy_tailed_spectrum(shape, tail, rng)
    return fit_marchenko_pastur(spectrum, shape, generator=generator, **options)


@pytest.mark.parametrize("method", ["likelihood", "histogram"])
def test_errors_fall_as_one_over_n(method):
    """Rigidity: four times the width is a quarter of the error, not a half."""
    small = single_fit((128, 64), 6, method=method, replicates=199)
    large = single_fit((512, 256), 24, method=method, replicates=199)
    # the histogram's bins narrow as n^(−1/3) and lose some of it
    least = 3.0 if method == "likelihood" else 2.2
    assert least < small.variance.error / large.variance.error < 5.5
    assert least < small.area.error / large.area.error < 5.5


def test_the_documents_form_misjudges_the_variance_where_the_tail_is_large():
    shape, tail = (256, 256), 51
    repelled, plain = (single_fit(shape, tail, repulsion=choice) for choice in (True, False))
    assert repelled.variance.value == pytest.approx(TRUE_VARIANCE, rel=0.04)
    assert plain.variance.value < 0.85 * TRUE_VARIANCE  # measured 0.78
    assert plain.law.ratio == 1.0


def test_both_forms_agree_without_a_tail(generator):
    (spectrum,) = laguerre_eigenvalues((200, 100), count=1, generator=generator)
    fits = [
        fit_marchenko_pastur(spectrum, (200, 100), generator=generator, repulsion=choice)
        for choice in (True, False)
    ]
    assert fits[0].variance.value == pytest.approx(fits[1].variance.value, rel=1e-6)
    assert fits[0].area.value == pytest.approx(fits[1].area.value, rel=1e-6)


@pytest.mark.parametrize("method", ["likelihood", "histogram"])
def test_scaling_the_matrix_scales_the_variance(method):
    rng = np.random.default_rng(0)
    spectrum = heavy_tailed_spectrum((96, 48), 5, rng)
    fits = [
        fit_marchenko_pastur(
            scale * spectrum, (96, 48), generator=torch.Generator().manual_seed(3), method=method
        )
        for scale in (1.0, 1e-6)
    ]
    assert fits[1].variance.value == pytest.approx(1e-6 * fits[0].variance.value, rel=1e-5)
    assert fits[1].area.interval == pytest.approx(fits[0].area.interval, rel=1e-4)


def test_the_fitted_density_lies_on_the_histogram():
    shape, tail = (512, 256), 25
    rng = np.random.default_rng(0)
    spectrum = heavy_tailed_spectrum(shape, tail, rng)
    fit = fit_marchenko_pastur(spectrum, shape, generator=torch.Generator().manual_seed(0))
    (law,) = fit.laws
    x = np.linspace(*law.edges, 2001)
    assert trapezoid(fit.density(x), x) == pytest.approx(fit.area.value, rel=1e-3)
    below = (spectrum < x[700]).mean()
    assert trapezoid(fit.density(x[:701]), x[:701]) == pytest.approx(below, abs=0.01)


def test_heads_share_what_they_tell():
    rng = np.random.default_rng(0)
    heads = np.stack([heavy_tailed_spectrum((64, 16), 3, rng) for _ in range(9)])
    fit = fit_marchenko_pastur(heads, (64, 16), generator=torch.Generator().manual_seed(0))
    one = fit_marchenko_pastur(heads[0], (64, 16), generator=torch.Generator().manual_seed(0))
    assert sum(fit.outliers) == pytest.approx(27, abs=1)
    assert 2.0 < one.variance.error / fit.variance.error < 4.5  # √9 = 3
    assert fit.law.area == fit.area.value
    assert fit.law.ratio == 0.25


def test_a_bulk_that_is_not_random_is_told(generator):
    """Equally spaced levels are too regular, and of the wrong shape."""
    spectrum = np.linspace(0.5, 2.0, 256)
    fit = fit_marchenko_pastur(spectrum, (512, 256), generator=generator)
    assert fit.p_value <= 0.01


def test_bad_input_is_refused(generator):
    spectrum = np.linspace(0.5, 2.0, 16)
    with pytest.raises(InputError, match="replicates"):
        fit_marchenko_pastur(spectrum, (64, 16), generator=generator, replicates=5)
    with pytest.raises(InputError, match="level"):
        fit_marchenko_pastur(spectrum, (64, 16), generator=generator, level=90)
    with pytest.raises(InputError, match="full spectrum"):
        fit_marchenko_pastur(spectrum[:9], (64, 16), generator=generator)
    with pytest.raises(InputError, match="NaN"):
        fit_marchenko_pastur(np.full(16, np.nan), (64, 16), generator=generator)
    with pytest.raises(InputError, match="no bulk"):
        fit_marchenko_pastur(np.array([1.0]), (64, 1), generator=generator)
