"""Tridiagonal models against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from spectrain.core import InputError
from spectrain.rmt import hermite_eigenvalues, laguerre_eigenvalues
from spectrain.rmt.ensembles import tall, tridiagonal_eigenvalues


def dense_laguerre(rows: int, columns: int, count: int, variance: float) -> np.ndarray:
    entries = np.random.default_rng(1).normal(size=(count, rows, columns))
    w = entries * np.sqrt(variance / rows)
    return np.linalg.eigvalsh(w.transpose(0, 2, 1) @ w)


def dense_hermite(size: int, count: int, beta: int, variance: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    g = rng.normal(size=(count, size, size))
    if beta == 2:
        g = (g + 1j * rng.normal(size=(count, size, size))) / np.sqrt(2)
    return np.linalg.eigvalsh((g + g.conj().transpose(0, 2, 1)) * np.sqrt(variance / (2 * size)))


@pytest.mark.parametrize("shape", [(9, 4), (5, 5), (3, 1)])
def test_laguerre_has_the_law_of_dense_matrices(shape, generator):
    rows, columns = shape
    dense = dense_laguerre(rows, columns, count=4000, variance=1.7)
    drawn = laguerre_eigenvalues(shape, count=4000, generator=generator, variance=1.7)
    for i in range(shape[1]):
        assert ks_2samp(dense[:, i], drawn[:, i]).pvalue > 1e-3


@pytest.mark.parametrize("beta", [1, 2])
def test_hermite_has_the_law_of_dense_matrices(beta, generator):
    dense = dense_hermite(4, 4000, beta, 1.7)
    drawn = hermite_eigenvalues(4, count=4000, generator=generator, variance=1.7, beta=beta)
    for i in range(4):
        assert ks_2samp(dense[:, i], drawn[:, i]).pvalue > 1e-3


def test_spectra_ascend(generator):
    assert (np.diff(laguerre_eigenvalues((30, 20), count=5, generator=generator)) >= 0).all()
    assert (np.diff(hermite_eigenvalues(20, count=5, generator=generator)) >= 0).all()


def test_tridiagonal_eigenvalues_match_the_dense_solver():
    rng = np.random.default_rng(0)
    d, e = rng.normal(size=(3, 12)), rng.normal(size=(3, 11))
    dense = np.stack(
        [np.diag(a) + np.diag(b, 1) + np.diag(b, -1) for a, b in zip(d, e, strict=True)]
    )
    # measured 4e-15
    np.testing.assert_allclose(tridiagonal_eigenvalues(d, e), np.linalg.eigvalsh(dense), atol=1e-13)


def test_wide_shapes_and_bad_values_are_refused(generator):
    with pytest.raises(InputError, match="transpose"):
        tall((3, 4))
    with pytest.raises(InputError, match="M ≥ N ≥ 1"):
        tall((3, 0))
    with pytest.raises(InputError, match="variance"):
        laguerre_eigenvalues((3, 2), count=1, generator=generator, variance=0.0)
    with pytest.raises(InputError, match="beta"):
        hermite_eigenvalues(3, count=1, generator=torch.Generator(), beta=-1.0)
