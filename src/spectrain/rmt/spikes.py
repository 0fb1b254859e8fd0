"""How many eigenvalues of WᵀW stand significantly apart from a random bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.degenerate import count_zeros
from spectrain.rmt.ensembles import tall
from spectrain.rmt.largest_eigenvalue import edge_ratio_p_value
from spectrain.rmt.law import Array, finite_sample
from spectrain.rmt.marchenko_pastur import MarchenkoPastur


@dataclass(frozen=True, slots=True)
class SpikeCount:
    """The eigenvalues that no random matrix would show.

    Attributes:
        count: number K of significant spikes.
        p_values: one for each eigenvalue that was tested, the largest first: the probability that
            it is the edge of a random matrix, given that all larger ones are spikes.
        level: level of each test.
    """

    count: int
    p_values: tuple[float, ...]
    level: float


def count_spikes(
    eigenvalues: Float[Array, " n"], shape: tuple[int, int], *, level: float = 0.01
) -> SpikeCount:
    """Count the eigenvalues of WᵀW above the bulk that a random matrix accounts for.

    If the j largest eigenvalues are spikes, the others belong to an (M − j) × (N − j) random
    matrix, and λ_{j+1} is tested against the edge of that one
    (:func:`~spectrain.rmt.edge_ratio_p_value`, with the variance of the remaining
    eigenvalues). Candidates are the eigenvalues above the edge that the median of the rest implies,
    a start that no number of spikes below one half can mask, and the next one. The count is the
    largest j whose test rejects, so that many spikes cannot hide each other by inflating the
    variance. Numerical zeros are taken out before, each with a column, as dead columns leave them.

    On random matrices a spike is reported with probability ``level``. At 1 %, a signal that comes
    out (as a singular value) 5 % above the edge is found in 31 % of 64 × 16 matrices, 79 % at
    256 × 64, 93 % at 256 × 256 and 100 % at 768 × 768.

    Args:
        eigenvalues: all N eigenvalues of WᵀW (the squared singular values), in any order.
        shape: (M, N), M ≥ N.
        level: probability of a false spike in a purely random matrix.

    Raises:
        InputError: the number of eigenvalues is not N, a value is not finite, or all are zero.

    Source: Kritchman & Nadler (2009) for the sequence of tests; here from below, after a robust
    start.

    Example:
        >>> import torch
        >>> from spectrain.rmt import laguerre_eigenvalues
        >>> generator = torch.Generator().manual_seed(0)
        >>> (random,) = laguerre_eigenvalues((64, 16), count=1, generator=generator)
        >>> count_spikes(random, (64, 16)).count
        0
        >>> count_spikes(np.append(random[2:], [5.0, 7.0]), (64, 16)).count
        2
    """
    rows, columns = tall(shape)
    values = np.sort(finite_sample("eigenvalues", eigenvalues))[::-1]
    if values.size != columns:
        raise InputError(
            f"{values.size} eigenvalues for a matrix of {columns} columns",
            remedy="pass the full spectrum, squared singular values with their zeros",
        )
    if values[0] == 0:
        raise InputError("all eigenvalues are zero", remedy="a zero matrix has no random bulk")
    columns -= count_zeros(values, shape)
    values = values[:columns]
    p_values = [
        float(edge_ratio_p_value(values[taken:], (rows - taken, columns - taken)))
        for taken in range(min(_candidates(values, rows, columns) + 1, columns))
    ]
    significant = [index + 1 for index, p in enumerate(p_values) if p <= level]
    return SpikeCount(max(significant, default=0), tuple(p_values), level)


def _candidates(values: Float[Array, " n"], rows: int, columns: int) -> int:
    """Number of eigenvalues above the edge of the bulk that the median of the others implies."""
    taken = 0
    while True:
        law = MarchenkoPastur((columns - taken) / (rows - taken))
        edge = law.edges[1] * float(np.median(values[taken:])) / float(law.quantile(0.5))
        above = int((values > edge).sum())
        if above <= taken or above >= columns:
            return taken
        taken = above
