"""The largest eigenvalue against a full diagonalisation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spectrain.matrix import top_eigenvalue
from spectrain.matrix.top import DENSE
from support.prescribed import orthonormal

SPECTRA = {
    "flat": torch.linspace(1.0, 0.5, 200, dtype=torch.float64),
    "equal": torch.ones(200, dtype=torch.float64),
    "spike": torch.cat([torch.tensor([30.0]), torch.ones(199)]).double(),
    "pair": torch.cat([torch.tensor([3.0, 3.0]), torch.linspace(1, 0, 198)]).double(),
    "cluster": torch.cat([torch.linspace(2.0, 1.9999, 8), torch.linspace(1, 0, 192)]).double(),
    "steep": torch.logspace(0, -8, 200, dtype=torch.float64),
    "low rank": (torch.arange(200) < 5).double(),
}


def symmetric(values: Tensor, generator: torch.Generator) -> Tensor:
    vectors = orthonormal(len(values), len(values), generator)
    matrix = (vectors * values) @ vectors.mT
    return (matrix + matrix.mT) / 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", SPECTRA)
def test_bound_contains_the_true_error(
    name: str, dtype: torch.dtype, generator: torch.Generator
) -> None:
    matrix = symmetric(SPECTRA[name], generator).to(dtype)
    expected = torch.linalg.eigvalsh(matrix.double())[-1]
    value, error = top_eigenvalue(matrix)
    assert (value - expected).abs() <= error
    assert error <= 1e-5 * expected  # asked 1e-6 beyond the rounding of √d·u, 2e-6 in float32


def test_small_matrices_are_diagonalised(generator: torch.Generator) -> None:
    matrix = symmetric(torch.linspace(2, 1, DENSE, dtype=torch.float64), generator)
    value, error = top_eigenvalue(matrix)
    assert (value - 2).abs() <= error < 1e-13


def test_a_batch_is_a_loop(generator: torch.Generator) -> None:
    stack = torch.stack([symmetric(values, generator) for values in SPECTRA.values()])
    value, error = top_eigenvalue(stack)
    for matrix, one, bound in zip(stack, value, error, strict=True):
        alone, alone_bound = top_eigenvalue(matrix)
        assert (one - alone).abs() <= bound + alone_bound


def test_of_zero_is_zero() -> None:
    value, error = top_eigenvalue(torch.zeros(2, 200, 200))
    assert value.tolist() == error.tolist() == [0.0, 0.0]


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    top_eigenvalue(torch.eye(200))
    assert torch.get_rng_state().equal(before)


def test_what_float32_cannot_diagonalise_is_taken_in_float64(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAPACK's ssyevd fails on some Gram matrices of which few rows are not zero."""
    drawn = torch.zeros(3, 8, 64)
    drawn[..., :4] = torch.randn(3, 8, 4, generator=generator)
    gram = drawn.mT @ drawn
    exact = torch.linalg.eigvalsh(gram.double())[..., -1]
    whole = torch.linalg.eigvalsh

    def failing(matrix: torch.Tensor) -> torch.Tensor:
        if matrix.dtype == torch.float32:
            raise torch.linalg.LinAlgError("failed to converge")
        return whole(matrix)

    monkeypatch.setattr(torch.linalg, "eigvalsh", failing)
    value, error = top_eigenvalue(gram)
    assert value.dtype == torch.float32
    assert bool(((value - exact).abs() <= error).all())
