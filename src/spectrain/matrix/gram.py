"""The Gram back end: singular values as square roots of the eigenvalues of the small Gram matrix.

A Gram matrix squares the condition number: an eigenvalue λ comes with an absolute error of about
ε = c·u·λ₁ (u the unit round-off), hence a singular value σ = √λ with min(ε/σ, √ε). That is harmless
for the large values and ruins the small ones. Where the small ones matter, they are computed a
second time from what is left of the matrix once its large directions are projected out
(:func:`deflated`); that brings their absolute error from √u·σ₁ down to u^¾·σ₁, 10⁻¹² in float64.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

ROUNDING = 4.0
"""c = ROUNDING·√d: measured up to 3·√d over shapes and spectra, at d = 1."""


def small_gram(matrix: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch d d"]:
    """A Aᵀ or Aᵀ A, whichever is smaller (d = min(m, n)), in the dtype of ``matrix``."""
    m, n = matrix.shape[-2:]
    return matrix @ matrix.mT if m <= n else matrix.mT @ matrix


def each_singular_values(
    matrices: Float[Tensor, "b m n"],
) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
    """Singular values of every matrix of a batch and the bound on the error of each.

    On the CPU, where LAPACK takes a batch one by one anyway, every matrix gets memory of its own:
    its rounding then does not depend on its place in a batch, and a recorded spectrum has the same
    bits live, in a checkpoint and alone.
    """
    longer = max(matrices.shape[-2:])
    if matrices.device.type != "cpu" or len(matrices) == 1:
        return singular_values(small_gram(matrices), longer, matrices.dtype)
    pairs = [singular_values(small_gram(one.clone()), longer, one.dtype) for one in matrices]
    return torch.stack([values for values, _ in pairs]), torch.stack([error for _, error in pairs])


def eigenvalue_error(
    largest: Float[Tensor, "*batch"], longer: int, dtype: torch.dtype
) -> Float[Tensor, "*batch"]:
    """Absolute error ε of the eigenvalues of a Gram matrix formed and diagonalised in ``dtype``."""
    return ROUNDING * math.sqrt(longer) * torch.finfo(dtype).eps * largest


def singular_values(
    gram: Float[Tensor, "*batch d d"], longer: int, accumulated_in: torch.dtype
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
    """Singular values of A from A Aᵀ, with the bound on the error of each.

    Args:
        gram: symmetric positive semidefinite, float32 or float64.
        longer: the longer side of A.
        accumulated_in: the precision in which the products were summed.
    """
    eigenvalues = torch.linalg.eigvalsh(gram).flip(-1).double()
    epsilon = eigenvalue_error(eigenvalues[..., 0].clamp_min(0), longer, accumulated_in)
    return roots(eigenvalues, epsilon)


def roots(
    eigenvalues: Float[Tensor, "*batch d"], epsilon: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
    """√λ and the error min(ε/√λ, √ε) that an error ε of λ makes in it."""
    values = eigenvalues.clamp_min(0).sqrt()
    worst = epsilon.sqrt().unsqueeze(-1)
    error = torch.where(values > worst, epsilon.unsqueeze(-1) / values.clamp_min(1e-300), worst)
    return values, error


def deflated(
    matrix: Float[Tensor, "m n"],
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Singular values of one float64 matrix by two Gram matrices, the second of the remainder.

    The first resolves σᵢ > u^¼ σ₁. The matrix is projected onto the eigenvectors of the others, and
    the Gram matrix of that remainder, whose scale is the remainder's own, gives the rest. What
    leaks from the large directions into the remainder stays below the error of the smallest large
    value.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    longer = wide.shape[1]
    unit = torch.finfo(wide.dtype).eps
    eigenvalues, vectors = torch.linalg.eigh(wide @ wide.mT)
    largest = eigenvalues[-1].clamp_min(0)
    large = eigenvalues > math.sqrt(unit) * largest
    values, error = roots(
        eigenvalues[large].flip(-1), eigenvalue_error(largest, longer, wide.dtype)
    )
    remainder = vectors[:, ~large].mT @ wide
    if remainder.shape[0]:
        rest, rest_error = singular_values(remainder @ remainder.mT, longer, wide.dtype)
        values = torch.cat([values, rest])
        error = torch.cat([error, rest_error + error[-1]])
    return values, error
