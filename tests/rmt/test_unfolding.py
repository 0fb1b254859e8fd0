"""Unfolding: unit spacing, and the surmise comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from spectrain.core import InputError
from spectrain.rmt import (
    MarchenkoPastur,
    WignerSurmise,
    laguerre_eigenvalues,
    local_spacings,
    unfold,
)


def test_fitted_law_gives_unit_spacing_everywhere(generator):
    law = MarchenkoPastur(0.5, 2.0, 0.7)
    levels = laguerre_eigenvalues((400, 200), count=30, generator=generator, variance=2.0)
    spacings = np.diff(unfold(levels, law))
    for stretch in np.array_split(spacings, 4, axis=1):
        assert stretch.mean() == pytest.approx(1, abs=0.02)
    surmise: Any = WignerSurmise()
    assert kstest(spacings[:, 50:150:3].ravel(), surmise.distribution).pvalue > 1e-3


def test_local_mean_needs_no_law(generator):
    levels = laguerre_eigenvalues((400, 200), count=30, generator=generator)
    spacings = local_spacings(levels, neighbours=20)
    assert spacings.shape == (30, 199 - 20)
    assert spacings.mean() == pytest.approx(1, abs=0.01)
    assert spacings.std() == pytest.approx(np.sqrt(4 / np.pi - 1), abs=0.03)


def test_local_spacings_are_the_definition():
    levels = np.sort(np.random.default_rng(0).random(30))
    gaps = np.diff(levels)
    naive = [gaps[i] / gaps[i - 3 : i + 4].mean() for i in range(3, gaps.size - 3)]
    np.testing.assert_allclose(local_spacings(levels, neighbours=6), naive)


def test_order_of_the_levels_does_not_matter():
    levels = np.random.default_rng(0).random(40)
    np.testing.assert_array_equal(local_spacings(levels), local_spacings(np.sort(levels)))


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="even"):
        local_spacings(np.arange(20.0), neighbours=3)
    with pytest.raises(InputError, match="fewer neighbours"):
        local_spacings(np.arange(5.0), neighbours=10)
    with pytest.raises(InputError, match="equal"):
        local_spacings(np.zeros(20), neighbours=4)
