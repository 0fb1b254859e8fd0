"""Matrices with prescribed singular values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def flat(r: int) -> Tensor:
    return torch.ones(r, dtype=torch.float64)


def power_law(r: int) -> Tensor:
    return 1 / torch.arange(1, r + 1, dtype=torch.float64)


def exponential(r: int, decades: float = 8) -> Tensor:
    return torch.logspace(0, -decades, r, dtype=torch.float64)


def low_rank(r: int) -> Tensor:
    return (torch.arange(r) < max(1, r // 8)).double()


def rank_one(r: int) -> Tensor:
    return (torch.arange(r) < 1).double()


def zero(r: int) -> Tensor:
    return torch.zeros(r, dtype=torch.float64)


def spike_and_bulk(r: int) -> Tensor:
    bulk = torch.linspace(1.0, 0.5, r, dtype=torch.float64)
    bulk[0] = 50.0
    return bulk


SPECTRA: dict[str, Callable[[int], Tensor]] = {
    function.__name__: function
    for function in (flat, power_law, exponential, low_rank, rank_one, spike_and_bulk)
}
"""Every prescribed spectrum with a largest value above zero."""


def orthonormal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """A random matrix with orthonormal columns, float64."""
    gaussian = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    return torch.linalg.qr(gaussian).Q


def with_values(values: Tensor, m: int, n: int, generator: torch.Generator) -> Tensor:
    """A random m × n matrix with these min(m, n) singular values, float64."""
    r = len(values)
    return (orthonormal(m, r, generator) * values) @ orthonormal(n, r, generator).mT
