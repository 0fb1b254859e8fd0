"""Scaling by powers of two, which rounds nothing and keeps squares in range."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def unit_scale(
    matrix: Float[Tensor, "*batch m n"], largest: Float[Tensor, "*batch"], dtype: torch.dtype
) -> tuple[Float[Tensor, "*batch m n"], Float[Tensor, "*batch"]]:
    """The matrix over the power of two just below its largest entry, and that power.

    A matrix that is not finite becomes zero.

    Args:
        matrix: any floating dtype.
        largest: largest magnitude of its entries, float64.
        dtype: precision of the scaled matrix.

    Example:
        >>> matrix = torch.tensor([[3e200, 0.0]], dtype=torch.float64)
        >>> unit, scale = unit_scale(matrix, matrix.abs().amax(), torch.float64)
        >>> 1 <= unit.abs().max() < 2, bool((unit * scale == matrix).all())
        (tensor(True), True)
    """
    finite = largest.isfinite()
    exponent = torch.frexp(torch.where(finite, largest, 0.0)).exponent
    scale = torch.ldexp(torch.ones_like(largest), exponent - 1)
    unit = matrix.to(dtype) / scale.to(dtype)[..., None, None]
    return torch.where(finite[..., None, None], unit, 0.0), scale
