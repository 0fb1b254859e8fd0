"""Directions split off in float64, against the exact singular value decomposition."""

from __future__ import annotations

import pytest
import torch

from spectrain.matrix.dominant import split_dominant
from support.prescribed import with_values

ROWS, COLUMNS = 60, 90


def spectrum_with(*leading: float) -> torch.Tensor:
    bulk = torch.linspace(1.0, 0.5, ROWS, dtype=torch.float64)
    bulk[: len(leading)] = torch.tensor(leading, dtype=torch.float64)
    return bulk


@pytest.mark.parametrize(
    "leading",
    [(1e6,), (1e4, 9e3), (1e5, 1e5, 1e5), (1e6, 1e3)],
    ids=lambda x: f"{len(x)}-{x[-1]:g}",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_rest(
    leading: tuple[float, ...], dtype: torch.dtype, generator: torch.Generator
) -> None:
    matrix = with_values(spectrum_with(*leading), ROWS, COLUMNS, generator).to(dtype)
    untouched = matrix.clone()
    exact = torch.linalg.svdvals(matrix.double())
    found, products = split_dominant(matrix, generator)
    assert found is not None
    assert products == found.products
    assert torch.equal(matrix, untouched)
    count = len(found.values)
    assert count == len(leading)
    torch.testing.assert_close(found.values, exact[:count], rtol=1e-12, atol=0)  # 2e-15 measured
    rest = torch.linalg.svdvals(found.rest.double() * found.scale)
    torch.testing.assert_close(rest[: ROWS - count], exact[count:], rtol=1e-5, atol=0)  # 3e-7
    assert rest[ROWS - count :].max() < 1e-6
    assert found.moved < 1e-4


def test_nothing_dominates(generator: torch.Generator) -> None:
    found, products = split_dominant(torch.randn(ROWS, COLUMNS, generator=generator), generator)
    assert found is None
    assert products == 16
