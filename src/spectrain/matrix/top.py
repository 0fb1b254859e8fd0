"""The largest eigenvalue of a symmetric positive semidefinite matrix, with its error."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

WIDTH = 4
"""Vectors iterated together; a cluster of up to three top eigenvalues does not slow it."""

DENSE = 96
"""Up to this size a full diagonalisation is as fast."""


def top_eigenvalue(
    matrix: Float[Tensor, "*batch d d"], *, rtol: float = 1e-6, rounds: int = 30
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Largest eigenvalue λ₁ and a bound on its error, by block power iteration with Ritz values.

    A Ritz pair (θ, x) has an eigenvalue within ‖Ax − θx‖, and within its square over the gap to the
    next Ritz value. Iteration stops once that bound is below rtol·θ for the whole batch; what
    has not converged after ``rounds`` is diagonalised in full.

    Args:
        matrix: symmetric positive semidefinite, float32 or float64.
        rtol: wanted relative error of λ₁, beyond the rounding of the dtype.
        rounds: multiplications by the block before giving up.

    Source:
        Parlett, The Symmetric Eigenvalue Problem, §11.7 (bounds of Ritz values).

    Example:
        >>> import torch
        >>> value, error = top_eigenvalue(torch.diag(torch.arange(200.0)))
        >>> abs(value.item() - 199) <= error.item() < 1e-2
        True
    """
    size = matrix.shape[-1]
    unit = size**0.5 * torch.finfo(matrix.dtype).eps
    if size <= DENSE:
        value = _diagonalised(matrix)
        return value, unit * value
    generator = torch.Generator(matrix.device).manual_seed(0)
    start = torch.randn(size, WIDTH, generator=generator, dtype=matrix.dtype, device=matrix.device)
    basis = torch.linalg.qr(matrix @ start).Q
    for _ in range(rounds):
        image = matrix @ basis
        ritz, mixing = torch.linalg.eigh(basis.mT @ image)
        value, gap = ritz[..., -1], ritz[..., -1] - ritz[..., -2]
        top = mixing[..., -1:]
        residual = torch.linalg.vector_norm(
            image @ top - (basis @ top) * value[..., None, None], dim=(-2, -1)
        )
        error = torch.minimum(residual, residual.square() / gap.clamp_min(1e-300))
        if bool((error <= max(rtol, unit) * value).all()):
            return value, error + unit * value
        basis = torch.linalg.qr(image).Q
    value = _diagonalised(matrix)
    return value, unit * value


def _diagonalised(matrix: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    """By all eigenvalues. In float32, divide and conquer fails where few rows are not zero."""
    try:
        return torch.linalg.eigvalsh(matrix)[..., -1]
    except torch.linalg.LinAlgError:
        return torch.linalg.eigvalsh(matrix.double())[..., -1].to(matrix.dtype)
