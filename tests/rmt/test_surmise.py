"""The Wigner surmise: the document's formulas and 2 × 2 matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from spectrain.core import InputError
from spectrain.rmt import WignerSurmise, fit_wigner_surmise, hermite_eigenvalues


@given(st.floats(0.01, 6.0), st.floats(0.1, 10.0))
def test_beta_one_is_the_documents_formula(s, sigma):
    unit = WignerSurmise(1)
    assert float(unit.density(s)) == pytest.approx(np.pi / 2 * s * np.exp(-np.pi * s**2 / 4))
    law = WignerSurmise(1, mean=np.sqrt(np.pi) * sigma)
    assert law.sigma == pytest.approx(sigma)
    expected = s / (2 * sigma**2) * np.exp(-(s**2) / (4 * sigma**2))
    assert float(law.density(s)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("beta", "peak", "rate"),
    [
        (1, np.pi / 2, np.pi / 4),
        (2, 32 / np.pi**2, 4 / np.pi),
        (4, (64 / 9 / np.pi) ** 3, 64 / 9 / np.pi),
    ],
)
def test_published_coefficients(beta, peak, rate):
    s = np.array([0.3, 1.0, 2.0])
    np.testing.assert_allclose(
        WignerSurmise(beta).density(s), peak * s**beta * np.exp(-rate * s**2)
    )


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_it_is_the_law_of_two_levels(beta, generator):
    levels = hermite_eigenvalues(2, count=4000, generator=generator, beta=beta)
    spacings = np.diff(levels, axis=1)[:, 0]
    law: Any = WignerSurmise(beta)
    assert kstest(spacings / spacings.mean(), law.distribution).pvalue > 1e-3


@pytest.mark.parametrize("beta", [1, 2, 4])
def test_fit_has_the_stated_errors(beta, generator):
    law = WignerSurmise(beta, 3.0)
    fits = [fit_wigner_surmise(law.sample(100, generator=generator), beta) for _ in range(800)]
    values = np.array([fit.law.mean for fit in fits])
    assert values.mean() == pytest.approx(3.0, rel=0.005)
    assert np.mean([fit.errors["mean"] for fit in fits]) == pytest.approx(values.std(), rel=0.1)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="mean"):
        WignerSurmise(1, 0.0)
    with pytest.raises(InputError, match="negative"):
        fit_wigner_surmise(np.array([1.0, -1.0]))
