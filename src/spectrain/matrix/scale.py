"""Scaling by powers of two, which rounds nothing and keeps squares in range."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def largest_entry(matrix: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Largest magnitude of the entries in float64, NaN or Inf where one is.

    Example:
        >>> largest_entry(torch.tensor([[1.0, -3.0]]))
        tensor(3., dtype=torch.float64)
    """
    flat = (matrix if matrix.is_contiguous() else matrix.mT).flatten(-2)  # a view, if it can be
    return torch.maximum(flat.amax(-1), -flat.amin(-1)).double()


def power_of_two(largest: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The power of two just below each value; that of 1 where it is not finite.

    Example:
        >>> power_of_two(torch.tensor(3.0, dtype=torch.float64))
        tensor(2., dtype=torch.float64)
    """
    exponent = torch.frexp(torch.where(largest.isfinite(), largest, 1.0)).exponent
    return torch.ldexp(torch.ones_like(largest), exponent - 1)


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
    scale = power_of_two(largest)
    unit = matrix.to(dtype) / scale.to(dtype)[..., None, None]
    return torch.where(finite[..., None, None], unit, 0.0), scale
