"""The semicircle and its fit."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.rmt import WignerSemicircle, fit_wigner_semicircle


def test_catalan_moments():
    law = WignerSemicircle(1.0)
    assert [law.moment(k) for k in range(0, 11, 2)] == [1, 1, 2, 5, 14, 42]
    assert [law.moment(k) for k in range(1, 10, 2)] == [0] * 5


def test_spectrum_of_a_dense_matrix():
    g = np.random.default_rng(0).normal(size=(600, 600))
    levels = np.linalg.eigvalsh((g + g.T) * np.sqrt(2.5 / (2 * 600)) + 3 * np.eye(600))
    gaps = WignerSemicircle(2.5, 3.0).distribution(levels) - (np.arange(600) + 0.5) / 600
    assert np.abs(gaps).max() < 0.008  # measured 0.003


def test_fit_has_the_stated_errors(generator):
    law = WignerSemicircle(2.0, -1.0)
    fits = [fit_wigner_semicircle(law.sample(3, size=12, generator=generator)) for _ in range(800)]
    for name, truth in (("centre", -1.0), ("variance", 2.0)):
        values = np.array([getattr(fit.law, name) for fit in fits])
        errors = np.array([fit.errors[name] for fit in fits])
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(800))
        assert errors.mean() == pytest.approx(values.std(), rel=0.1)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="variance"):
        WignerSemicircle(-1.0)
    with pytest.raises(InputError, match="levels"):
        fit_wigner_semicircle(np.array([1.0]))
