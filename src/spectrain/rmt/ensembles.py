"""Eigenvalues of the classical random matrices, drawn in O(n²) from their tridiagonal models."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import lapack

from spectrain.core import InputError
from spectrain.rmt.law import Array, numpy_generator, require_positive


def laguerre_eigenvalues(
    shape: tuple[int, int],
    *,
    count: int,
    generator: torch.Generator,
    variance: float = 1.0,
    beta: float = 1.0,
) -> Float[Array, "count n"]:
    """Eigenvalues of WᵀW for Gaussian W, M × N with M ≥ N and entries of variance σ²/M.

    The matrix is never formed. Householder reflections turn W into a bidiagonal matrix whose
    entries are independent: χ_{βM}, χ_{β(M−1)}, …, χ_{β(M−N+1)} on the diagonal and χ_{β(N−1)}, …,
    χ_β beside it, all times σ/√(βM). β = 1 is a real matrix, β = 2 a complex one; other β > 0 are
    gases of the same form that have no dense matrix.

    Args:
        shape: (M, N).
        count: number of matrices.
        generator: source of the randomness.
        variance: σ², the variance of the entries times M.
        beta: Dyson index.

    Returns:
        The spectra, each in ascending order.

    Raises:
        InputError: M < N, or variance or beta not positive.

    Source: Dumitriu & Edelman, Matrix models for beta ensembles (2002), Theorem 3.1.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> spectra = laguerre_eigenvalues((400, 100), count=20, generator=generator)
        >>> spectra.shape, round(float(spectra.mean()), 2)  # E tr WᵀW = N σ²
        ((20, 100), 1.0)
    """
    rows, columns = tall(shape)
    require_positive(variance=variance, beta=beta)
    rng = numpy_generator(generator)
    squares = rng.chisquare(beta * np.arange(rows, rows - columns, -1.0), (count, columns))
    beside = rng.chisquare(beta * np.arange(columns - 1, 0, -1.0), (count, columns - 1))
    diagonal = squares.copy()
    diagonal[:, 1:] += beside
    off_diagonal = np.sqrt(squares[:, :-1] * beside)
    return tridiagonal_eigenvalues(diagonal, off_diagonal) * (variance / (beta * rows))


def hermite_eigenvalues(
    size: int, *, count: int, generator: torch.Generator, variance: float = 1.0, beta: float = 1.0
) -> Float[Array, "count n"]:
    """Eigenvalues of symmetric n × n Gaussian matrices, off-diagonal entries of variance σ²/n.

    β = 1 is the Gaussian orthogonal ensemble (diagonal variance 2σ²/n), β = 2 the unitary, β = 4
    the symplectic one, all with the same limit, the semicircle of radius 2σ. The joint density is
    ∏|xᵢ − xⱼ|^β exp(−βn Σxᵢ²/4σ²). Drawn from a tridiagonal matrix: N(0, 2) on the diagonal,
    χ_{β(n−1)}, …, χ_β beside it, all times σ/√(βn).

    Args:
        size: n.
        count: number of matrices.
        generator: source of the randomness.
        variance: σ².
        beta: Dyson index.

    Returns:
        The spectra, each in ascending order.

    Raises:
        InputError: size, variance or beta not positive.

    Source: Dumitriu & Edelman, Matrix models for beta ensembles (2002), Theorem 2.12.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> spectra = hermite_eigenvalues(100, count=20, generator=generator)
        >>> spectra.shape, bool(abs(spectra).max() < 2.2)
        ((20, 100), True)
    """
    require_positive(size=size, variance=variance, beta=beta)
    rng = numpy_generator(generator)
    diagonal = rng.normal(0.0, np.sqrt(2.0), (count, size))
    beside = np.sqrt(rng.chisquare(beta * np.arange(size - 1, 0, -1.0), (count, size - 1)))
    return tridiagonal_eigenvalues(diagonal, beside) * np.sqrt(variance / (beta * size))


def tridiagonal_eigenvalues(
    diagonal: Float[Array, "count n"], off_diagonal: Float[Array, "count n-1"]
) -> Float[Array, "count n"]:
    """Eigenvalues of symmetric tridiagonal matrices, ascending, by LAPACK's root-free QR."""
    if diagonal.shape[1] == 1:
        return diagonal.copy()
    values = np.empty_like(diagonal)
    for row, (d, e) in enumerate(zip(diagonal, off_diagonal, strict=True)):
        values[row], failed = lapack.dsterf(d, e)
        if failed:  # pragma: no cover - LAPACK allows 30 sweeps an eigenvalue and needs about two
            raise np.linalg.LinAlgError("the tridiagonal eigenvalues did not converge")
    return values


def tall(shape: tuple[int, int]) -> tuple[int, int]:
    """The shape (M, N) itself if M ≥ N ≥ 1, as the conventions of this package ask for."""
    rows, columns = shape
    if not rows >= columns >= 1:
        raise InputError(
            f"the shape is {rows} × {columns}",
            remedy="pass (M, N) with M ≥ N ≥ 1; a wide matrix has the spectrum of its transpose",
        )
    return rows, columns
