"""What of a spectrum no random bulk can hold: numerical zeros, and values that repeat exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.rmt.ensembles import tall
from spectrain.rmt.law import Array, finite_sample

SAME = 1e-5
"""Distance of singular values, over the largest, up to which they count as one that repeats."""

FEWEST_REPEATED = 3
"""Values that must lie so close: levels of a random matrix repel each other, and a chance pair is
far more frequent than a chance triple."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The eigenvalues of WᵀW that may belong to a random bulk, and how many cannot.

    Attributes:
        rest: the others, ascending.
        zeros: number of numerical zeros: dead or pruned columns, missing rank.
        repeated: number of eigenvalues that are repeated exactly.
        shape: (M, N) of the matrix that has only the rest.
    """

    rest: Float[Array, " k"]
    zeros: int
    repeated: int
    shape: tuple[int, int]


def count_zeros(eigenvalues: Float[Array, " n"], shape: tuple[int, int]) -> int:
    """Number of numerical zeros: eigenvalues of at most M ε times the largest, ε of float64.

    That is the error of an eigenvalue of WᵀW; the smallest singular value of a square random matrix
    lies below it with a probability of about 2N √(Mε), 4 in 100,000 at 128.

    Example:
        >>> count_zeros(np.array([0.0, 1e-18, 1.0]), (3, 3))
        2
    """
    values = finite_sample("eigenvalues", eigenvalues)
    return int((values <= max(shape) * np.finfo(np.float64).eps * values.max()).sum())


def set_apart(eigenvalues: Float[Array, " n"], shape: tuple[int, int]) -> Levels:
    """Take out what cannot belong to a random bulk, and the rows and columns that hold it.

    Each zero takes a column away, which is where zero columns leave a random matrix: its nonzero
    spectrum is that of M × (N − k). Each repeated value takes a row and a column, as a multiple of
    an orthogonal block does.

    Args:
        eigenvalues: all N eigenvalues of WᵀW, in any order.
        shape: (M, N), M ≥ N.

    Raises:
        InputError: a value is not finite, or M < N.

    Example:
        >>> levels = set_apart(np.array([0.0, 1.0, 1.0, 1.0, 2.0, 3.5]), (8, 6))
        >>> levels.rest.tolist(), levels.zeros, levels.repeated, levels.shape
        ([2.0, 3.5], 1, 3, (5, 2))
    """
    rows, columns = tall(shape)
    values = np.sort(finite_sample("eigenvalues", eigenvalues))
    zeros = count_zeros(values, shape)
    left = values[zeros:]
    again = _repeated(left)
    repeated = int(again.sum())
    return Levels(left[~again], zeros, repeated, (rows - repeated, columns - zeros - repeated))


def _repeated(ascending: Float[Array, " n"]) -> Array:
    """Which values are one of at least three that follow each other within the tolerance."""
    if len(ascending) < FEWEST_REPEATED:
        return np.zeros(len(ascending), dtype=bool)
    sigma = np.sqrt(ascending / ascending[-1])
    close = np.diff(sigma) <= min(SAME, 0.1 / len(sigma))
    groups = np.cumsum(np.append(True, ~close))
    return np.asarray(np.bincount(groups)[groups] >= FEWEST_REPEATED)
