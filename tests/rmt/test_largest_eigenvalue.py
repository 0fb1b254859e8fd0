"""Edge tests: p-values are uniform on random matrices."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.rmt import edge_p_value, edge_ratio_p_value, edge_scaling, laguerre_eigenvalues

COUNT = 4000


def fraction_below(p_values: np.ndarray, level: float) -> float:
    return float((p_values <= level).mean())


@pytest.mark.parametrize("shape", [(16, 16), (64, 16), (256, 64)])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.5])
def test_p_values_are_uniform(shape, level, generator):
    spectra = laguerre_eigenvalues(shape, count=COUNT, generator=generator, variance=3.0)
    known = edge_p_value(spectra[:, -1], shape, 3.0)
    estimated = edge_ratio_p_value(spectra, shape)
    # binomial error plus what the asymptotic laws miss: measured 0.9–1.2, 4.4–4.9, 50–51 %
    tolerance = 3.5 * np.sqrt(level * (1 - level) / COUNT) + 0.15 * level * (1 - level)
    assert fraction_below(known, level) == pytest.approx(level, abs=tolerance)
    assert fraction_below(estimated, level) == pytest.approx(level, abs=tolerance)


@pytest.mark.parametrize("shape", [(8, 8), (64, 2), (16, 4)])
def test_the_smallest_matrices_are_judged_conservatively(shape, generator):
    spectra = laguerre_eigenvalues(shape, count=COUNT, generator=generator)
    assert fraction_below(edge_ratio_p_value(spectra, shape), 0.01) <= 0.012


def test_the_ratio_test_does_not_know_the_scale(generator):
    spectra = laguerre_eigenvalues((30, 20), count=5, generator=generator)
    np.testing.assert_allclose(
        edge_ratio_p_value(spectra, (30, 20)), edge_ratio_p_value(1e6 * spectra, (30, 20))
    )


def test_the_ratio_is_narrower_than_the_eigenvalue(generator):
    """What the shrunken law is for: the naive one, with σ̂² in place of σ², rejects too rarely."""
    shape = (64, 16)
    spectra = laguerre_eigenvalues(shape, count=COUNT, generator=generator)
    naive = edge_p_value(spectra[:, -1] / spectra.mean(-1), shape, 1.0)
    assert fraction_below(naive, 0.01) < 0.006  # measured 0.0036


def test_scaling_is_the_published_formula():
    """Ma (2012), Eq. (5), for XᵀX of unit entries; ours has entries of variance σ²/M."""
    n, p = 100, 40
    a, b = np.sqrt(n - 0.5), np.sqrt(p - 0.5)
    centre, scale = edge_scaling((n, p), 2.0)
    assert centre == pytest.approx(2 / n * (a + b) ** 2)
    assert scale == pytest.approx(2 / n * (a + b) * (1 / a + 1 / b) ** (1 / 3))


def test_one_column_tells_nothing():
    assert edge_ratio_p_value(np.array([[3.0]]), (5, 1)).tolist() == [1.0]


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="M ≥ N"):
        edge_scaling((3, 4))
    with pytest.raises(InputError, match="variance"):
        edge_p_value(1.0, (4, 3), -1.0)
    with pytest.raises(InputError, match="NaN"):
        edge_ratio_p_value(np.array([1.0, np.nan]), (4, 2))
