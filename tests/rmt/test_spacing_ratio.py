"""Spacing ratios: surmise, large matrices, independent levels."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.rmt import (
    LARGE_MATRIX_MEANS,
    SpacingRatio,
    hermite_eigenvalues,
    laguerre_eigenvalues,
    mean_spacing_ratio,
    spacing_ratios,
)


@pytest.mark.parametrize("beta", [0, 1, 2, 4])
def test_mean_in_closed_form_is_the_integral(beta):
    law = SpacingRatio(beta)
    r = (np.arange(20000) + 0.5) / 20000
    assert law.moment(1) == pytest.approx(float((r * law.density(r)).mean()), abs=1e-8)


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_means_of_large_matrices(beta, generator):
    spectra = hermite_eigenvalues(200, count=60, generator=generator, beta=beta)
    value, error = mean_spacing_ratio(spectra)
    assert value == pytest.approx(LARGE_MATRIX_MEANS[beta], abs=4 * error)
    assert error < 0.004


def test_weights_of_a_random_layer_repel_like_real_matrices(generator):
    value, error = mean_spacing_ratio(
        laguerre_eigenvalues((256, 128), count=60, generator=generator)
    )
    assert value == pytest.approx(LARGE_MATRIX_MEANS[1], abs=4 * error)


def test_independent_levels_do_not_repel():
    levels = np.random.default_rng(0).random((60, 200))
    value, error = mean_spacing_ratio(levels)
    assert value == pytest.approx(LARGE_MATRIX_MEANS[0], abs=4 * error)


def test_ratios_do_not_know_the_scale():
    levels = np.array([0.0, 1.0, 3.0, 4.0, 8.0])
    np.testing.assert_allclose(spacing_ratios(levels), [0.5, 0.5, 0.25])
    np.testing.assert_allclose(spacing_ratios(7 - 3 * levels), [0.25, 0.5, 0.5])


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="three levels are equal"):
        spacing_ratios(np.array([0.0, 0.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="fewer than three"):
        spacing_ratios(np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="at least two"):
        mean_spacing_ratio(np.array([[0.0, 1.0, 2.0]]))
