"""The Gram back end: singular values as square roots of the eigenvalues of the small Gram matrix.

A Gram matrix squares the condition number: an eigenvalue λ comes with an absolute error of about
ε = c·u·λ₁ (u the unit round-off), hence a singular value σ = √λ with min(ε/σ, √ε). That is harmless
for the large values and ruins the small ones. Where the small ones matter, a singular value
decomposition has to take over.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

PANEL_BYTES = 1 << 22
"""Size of a panel: a part of the processor's cache."""

LEAST_PANEL = 256
"""Least length of a panel; shorter ones slow the product."""

LONG = 8
"""From this ratio of the sides on, rows (or columns) that are zero throughout are looked for."""

ROUNDING = 4.0
"""c = ROUNDING·√d: measured up to 3·√d over shapes and spectra, at d = 1."""


def small_gram(matrix: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch d d"]:
    """A Aᵀ or Aᵀ A, whichever is smaller (d = min(m, n)), in the dtype of ``matrix``."""
    m, n = matrix.shape[-2:]
    return matrix @ matrix.mT if m <= n else matrix.mT @ matrix


def each_singular_values(
    matrices: Float[Tensor, "b m n"], scale: Float[Tensor, " b"], dtype: torch.dtype
) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
    """Singular values of every matrix over its scale, on the CPU.

    There LAPACK takes a batch one by one anyway, and BLAS forms each product by halves, in memory
    of its own (:func:`panelled`); a recorded spectrum has the same bits live, in a checkpoint and
    alone.
    """
    grams = [panelled(one, by, dtype) for one, by in zip(matrices, scale.tolist(), strict=True)]
    stack = torch.stack(grams) if len(grams) > 1 else grams[0].unsqueeze(0)
    return singular_values(stack, max(matrices.shape[-2:]), dtype)


def panelled(
    matrix: Float[Tensor, "m n"], scale: float, dtype: torch.dtype
) -> Float[Tensor, "d d"]:
    """The smaller Gram matrix of A/scale on the CPU, its lower triangle alone.

    BLAS's symmetric rank-k update costs half of a general product, and takes the matrix panel by
    panel, so that no more of it than a panel exists in ``dtype``. Rows without an entry add nothing
    and are left out: the gradient of a table has little else.
    """
    from scipy.linalg import blas

    tall = matrix.shape[0] > matrix.shape[1]
    longer, size = matrix.shape if tall else matrix.shape[::-1]
    if longer > LONG * size:
        filled = matrix.any(int(tall)).nonzero().flatten()
        if 2 * len(filled) < longer:
            matrix = matrix.index_select(int(not tall), filled)
            longer = len(filled)
    width = max(min(longer, max(LEAST_PANEL, PANEL_BYTES // (size * dtype.itemsize))), 1)
    panel = torch.empty((width, size) if tall else (size, width), dtype=dtype, device=matrix.device)
    update = blas.dsyrk if dtype == torch.float64 else blas.ssyrk
    total = torch.zeros(size, size, dtype=dtype, device=matrix.device).numpy().T
    for start in range(0, longer, width):
        part = matrix[start : start + width] if tall else matrix[:, start : start + width]
        if part.shape != panel.shape:
            panel = torch.empty(part.shape, dtype=dtype, device=matrix.device)
        panel.copy_(part).div_(scale)
        total = update(1.0, panel.numpy().T, 1.0, total, trans=not tall, overwrite_c=True)
    return torch.from_numpy(total.T)


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
    eigenvalues = _eigenvalues(gram).flip(-1).double()
    epsilon = eigenvalue_error(eigenvalues[..., 0].clamp_min(0), longer, accumulated_in)
    return roots(eigenvalues, epsilon)


def _eigenvalues(gram: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d"]:
    """Ascending; from the lower triangle. On the CPU by the LAPACK that is faster there."""
    if gram.device.type != "cpu":
        return torch.linalg.eigvalsh(gram)
    if gram.dtype == torch.float64:
        return torch.from_numpy(np.linalg.eigvalsh(gram.numpy()))
    from scipy.linalg import eigvalsh

    flat = gram.reshape(-1, *gram.shape[-2:]).numpy()
    each = [eigvalsh(one, check_finite=False, driver="ev") for one in flat]
    return torch.from_numpy(np.stack(each)).reshape(gram.shape[:-1])


def roots(
    eigenvalues: Float[Tensor, "*batch d"], epsilon: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
    """√λ and the error min(ε/√λ, √ε) that an error ε of λ makes in it."""
    values = eigenvalues.clamp_min(0).sqrt()
    worst = epsilon.sqrt().unsqueeze(-1)
    error = torch.where(values > worst, epsilon.unsqueeze(-1) / values.clamp_min(1e-300), worst)
    return values, error
