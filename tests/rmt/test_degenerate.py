"""Numerical zeros and repeated values are found, and nothing else is."""

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.rmt import count_spikes, fit_marchenko_pastur, laguerre_eigenvalues, set_apart


def gaussian(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64) / rows**0.5


def eigenvalues(matrix: torch.Tensor) -> np.ndarray:
    return torch.linalg.svdvals(matrix.double()).square().numpy()


@pytest.mark.parametrize("dead", [3, 14, 40])
def test_zero_columns_leave_a_smaller_random_matrix(dead: int) -> None:
    matrix = gaussian(96, 48, dead)
    matrix[:, :dead] = 0
    found = eigenvalues(matrix)
    levels = set_apart(found, (96, 48))
    assert (levels.zeros, levels.repeated, levels.shape) == (dead, 0, (96, 48 - dead))
    assert count_spikes(found, (96, 48)).count == 0
    fit = fit_marchenko_pastur(
        found, (96, 48), generator=torch.Generator().manual_seed(0), replicates=39
    )
    assert fit.zeros == (dead,)
    assert abs(fit.area.value - (1 - dead / 48)) < 3 * fit.area.error
    assert fit.variance.value == pytest.approx(1, abs=4 * fit.variance.error)


def test_without_zeros_nothing_changes() -> None:
    """The fit of the dense part alone is that of the whole."""
    dense = gaussian(96, 34, 1)
    whole = torch.cat([dense, torch.zeros(96, 14, dtype=torch.float64)], 1)
    alone, beside = (
        fit_marchenko_pastur(
            eigenvalues(matrix),
            (96, matrix.shape[1]),
            generator=torch.Generator().manual_seed(0),
            replicates=19,
        )
        for matrix in (dense, whole)
    )
    assert beside.area.value == pytest.approx(alone.area.value * 34 / 48, rel=1e-9)
    assert beside.variance.value == pytest.approx(alone.variance.value, rel=1e-9)
    assert beside.p_value == alone.p_value


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_orthogonal_block_repeats_one_value(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    block = torch.nn.init.orthogonal_(torch.empty(40, 40, dtype=dtype), generator=generator)
    levels = set_apart(eigenvalues(3 * block), (40, 40))
    assert (levels.repeated, len(levels.rest)) == (40, 0)
    both = torch.block_diag(block.double(), gaussian(56, 24, 3))
    levels = set_apart(eigenvalues(both), (96, 64))
    assert (levels.zeros, levels.repeated, levels.shape) == (0, 40, (56, 24))


def test_random_spectra_repeat_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((64, 64), (200, 100), (400, 400)):
        for spectrum in laguerre_eigenvalues(shape, count=50, generator=generator):
            levels = set_apart(spectrum, shape)
            assert levels.repeated == 0
            assert levels.zeros == 0


def test_a_zero_matrix_has_no_bulk() -> None:
    with pytest.raises(InputError, match="zero"):
        count_spikes(np.zeros(8), (8, 8))


@pytest.mark.parametrize("factor", [1e-300, 1e-10, 1e300])
def test_the_fit_knows_no_unit(factor: float) -> None:
    """Eigenvalues of a matrix in units of 1e±150."""
    spectrum = np.append(eigenvalues(gaussian(60, 40, 5))[2:], [4.5, 6.0])
    own, scaled = (
        fit_marchenko_pastur(
            values, (60, 40), generator=torch.Generator().manual_seed(0), replicates=19
        )
        for values in (spectrum, spectrum * factor)
    )
    assert scaled.outliers == own.outliers == (2,)
    assert scaled.area.value == pytest.approx(own.area.value, rel=1e-5)
    assert scaled.area.interval == pytest.approx(own.area.interval, rel=1e-5)
    assert scaled.variance.value / factor == pytest.approx(own.variance.value, rel=1e-5)
    assert scaled.p_value == own.p_value
    assert scaled.law.density(factor) * factor == pytest.approx(own.law.density(1.0), rel=1e-5)
    assert scaled.density(factor) * factor == pytest.approx(own.density(1.0), rel=1e-5)
