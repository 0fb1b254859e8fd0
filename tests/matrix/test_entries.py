"""What of a matrix is zero, against counting."""

import pytest
import torch

from spectrain.matrix import ENTRY_MEASURES


def counted(matrix):
    rows = [row for row in matrix if any(row)]
    columns = [column for column in zip(*matrix, strict=True) if any(column)]
    alive = len(rows) * len(columns)
    zeros = alive - sum(bool(x) for row in matrix for x in row)
    return {
        "zero_rows": len(matrix) - len(rows),
        "zero_columns": len(matrix[0]) - len(columns),
        "zero_entries": zeros / alive if alive else 0.0,
    }


@pytest.mark.parametrize("seed", range(6))
def test_zeros_are_counted(seed):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(7, 5, generator=generator)
    matrix[torch.rand(7, 5, generator=generator) < 0.3] = 0
    matrix[: seed % 3] = 0
    matrix[:, : seed % 4] = 0
    found = {name: measure(matrix).item() for name, measure in ENTRY_MEASURES.items()}
    assert found == pytest.approx(counted(matrix.tolist()))


def test_a_matrix_of_zeros():
    found = {name: m(torch.zeros(3, 2)).item() for name, m in ENTRY_MEASURES.items()}
    assert found == {"zero_rows": 3, "zero_columns": 2, "zero_entries": 0}
