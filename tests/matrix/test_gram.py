"""Gram matrices, and their spectra on the CPU."""

from __future__ import annotations

import pytest
import torch

from spectrain.matrix import gram


def test_the_small_gram_matrix_is_the_smaller_one() -> None:
    assert gram.small_gram(torch.ones(3, 5)).shape == (3, 3)
    assert gram.small_gram(torch.ones(2, 5, 3)).shape == (2, 3, 3)


def test_a_matrix_has_the_same_bits_alone_and_in_a_batch(generator: torch.Generator) -> None:
    """Sizes that fill no whole cache lines: batched products and solvers round them by place."""
    for m, n in [(17, 13), (33, 29), (31, 48), (65, 64)]:
        batch = torch.randn(5, m, n, generator=generator, dtype=torch.float64)
        one = torch.ones(5, dtype=torch.float64)
        values, _ = gram.each_singular_values(batch, one, torch.float64)
        for index in range(5):
            alone = batch[index : index + 1].clone()
            again, _ = gram.each_singular_values(alone, one[:1], torch.float64)
            assert torch.equal(values[index], again[0]), (m, n, index)


@pytest.mark.parametrize("shape", [(30, 700), (700, 30), (300, 300)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_gram_matrix_by_panels(
    shape: tuple[int, int],
    dtype: torch.dtype,
    generator: torch.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gram, "PANEL_BYTES", 0)
    matrix = torch.randn(shape, generator=generator)
    for one in (matrix, matrix.mT.contiguous().mT, matrix.bfloat16()):
        found = gram.panelled(one, 2.0, dtype).double()
        expected = gram.small_gram(one.double() / 2)
        error = (found - expected).tril().abs().max() / expected.abs().max()
        assert error < 1e3 * torch.finfo(dtype).eps  # measured 3 to 6 units
