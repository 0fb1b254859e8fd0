"""The largest singular value, followed from sample to sample by a block Krylov method.

Between two samples weights hardly turn, so that the leading right singular vectors of the last one
are nearly those of this one. A sample multiplies a few times by WᵀW and keeps the best vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

WIDTH = 2
"""Vectors that are followed: two, so that a crossing of the largest values is not missed."""

POWERS = 2
"""Multiplications of the followed vectors by WᵀW before Ritz values are taken."""

FIRST_POWERS = 8
"""The same in the first sample, which knows no vectors yet."""

PRODUCTS = 2 * WIDTH * (POWERS + 1)
"""Products of a matrix with a vector that a sample takes, those with the transpose included."""

Product = Callable[[Float[Tensor, "*batch n k"]], Float[Tensor, "*batch n k"]]
"""V ↦ WᵀW V."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The largest singular value as a sample found it.

    Attributes:
        value: σ, a Ritz value: never above the largest singular value except by rounding.
        error: distance within which W has a singular value, from the residual.
        frame: orthonormal vectors to start the next sample from.
    """

    value: Float[Tensor, "*batch"]
    error: Float[Tensor, "*batch"]
    frame: Float[Tensor, "*batch n k"]


def first_frame(
    size: int, generator: torch.Generator, *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n k"]:
    """Orthonormal vectors at random, for a matrix of ``size`` columns.

    Example:
        >>> frame = first_frame(5, torch.Generator().manual_seed(0))
        >>> frame.shape, bool(torch.allclose(frame.mT @ frame, torch.eye(2), atol=1e-6))
        (torch.Size([5, 2]), True)
    """
    drawn = torch.randn(size, min(WIDTH, size), generator=generator, dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.to(dtype)


def follow_largest(
    product: Product, frame: Float[Tensor, "*batch n k"], *, powers: int = POWERS
) -> Followed:
    """Rayleigh-Ritz for WᵀW in the span of V, WᵀW V, …, (WᵀW)^powers V.

    A Ritz pair (θ, x) of unit x has an eigenvalue of WᵀW within r = ‖WᵀW x − θx‖ of θ, and within
    r² over the gap to the next Ritz value; σ = √θ moves by that over 2σ.

    Args:
        product: V ↦ WᵀW V, of the frame's precision.
        frame: orthonormal columns V, of this sample's start.
        powers: multiplications; the error falls with each as a Chebyshev polynomial does.

    Returns:
        In float64; NaN, and the frame as it was, where WᵀW V is not finite.

    Source:
        Halko, Martinsson, Shkolnisky & Tygert 2011, arXiv:1007.5510 (block Krylov);
        Parlett, The Symmetric Eigenvalue Problem, §11.7 (bounds of Ritz values).

    Example:
        >>> weight = torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5]))
        >>> start = first_frame(4, torch.Generator().manual_seed(0))
        >>> largest = follow_largest(lambda v: weight.mT @ (weight @ v), start)
        >>> round(largest.value.item(), 4)
        3.0
    """
    width, size = frame.shape[-1], frame.shape[-2]
    basis, (image, finite) = frame, _finite(product(frame))
    for _ in range(powers):
        held = basis.shape[-1]
        if held == size:
            break
        newest = torch.cat([basis, image[..., -width:]], -1)
        fresh = torch.linalg.qr(newest).Q[..., held : min(held + width, size)]
        more, sound = _finite(product(fresh))
        basis, image = torch.cat([basis, fresh], -1), torch.cat([image, more], -1)
        finite = finite & sound
    inside = (basis.mT @ image).double()
    ritz, mixing = torch.linalg.eigh((inside + inside.mT) / 2)
    top = mixing[..., -1:]
    value = ritz[..., -1].clamp_min(0.0)
    rest = image.double() @ top - (basis.double() @ top) * value[..., None, None]
    residual = torch.linalg.vector_norm(rest, dim=(-2, -1))
    gap = (value - ritz[..., -2]) if ritz.shape[-1] > 1 else residual
    bound = torch.minimum(residual, residual.square() / gap.clamp_min(1e-300))
    sigma = value.sqrt()
    error = torch.where(sigma > 0, bound / (2 * sigma.clamp_min(1e-300)), bound.sqrt())
    kept = torch.linalg.qr(basis @ mixing[..., -width:].flip(-1).to(basis.dtype)).Q
    return Followed(
        torch.where(finite, sigma, torch.nan),
        torch.where(finite, error, torch.nan),
        torch.where(finite[..., None, None], kept, frame),
    )


def _finite(image: Tensor) -> tuple[Tensor, Tensor]:
    """The image, zero where an entry of it is not finite, and whether all are."""
    finite = image.isfinite().all(-1).all(-1)
    return torch.where(finite[..., None, None], image, 0.0), finite
