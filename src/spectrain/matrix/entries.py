"""Measures of a matrix's entries that its spectrum does not show: which are exactly zero."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.measure import Registry

ENTRY_MEASURES = Registry()
"""Measures of the entries, by name; recorded where they are not 0."""


@ENTRY_MEASURES.register(
    unit="1", formula="#{i : Aᵢⱼ = 0 for all j}", citation="this project: dead outputs"
)
def zero_rows(matrix: Float[Tensor, "m n"]) -> Float[Tensor, ""]:
    """Number of rows that are zero.

    Example:
        >>> zero_rows(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).item()
        1.0
    """
    return (~matrix.any(1)).sum().double()


@ENTRY_MEASURES.register(
    unit="1", formula="#{j : Aᵢⱼ = 0 for all i}", citation="this project: dead inputs"
)
def zero_columns(matrix: Float[Tensor, "m n"]) -> Float[Tensor, ""]:
    """Number of columns that are zero.

    Example:
        >>> zero_columns(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).item()
        1.0
    """
    return (~matrix.any(0)).sum().double()


@ENTRY_MEASURES.register(
    unit="1",
    formula="#{(i, j) : Aᵢⱼ = 0, row i and column j not zero}/#{(i, j) : row i, column j not zero}",
    citation="this project: pruned weights",
)
def zero_entries(matrix: Float[Tensor, "m n"]) -> Float[Tensor, ""]:
    """Share of zeros among the entries, rows and columns that are wholly zero left out.

    0 for a matrix of zeros alone.

    Example:
        >>> zero_entries(torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])).item()
        0.25
    """
    taken = matrix != 0
    entries = taken.any(1).sum() * taken.any(0).sum()
    count = taken.count_nonzero()  # a sum would widen every entry to int64
    return torch.where(entries > 0, 1 - count / entries.double().clamp_min(1), 0.0)
