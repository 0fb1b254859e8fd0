"""Ranks of a change and overlaps of subspaces."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh
from torch import Tensor

from spectrain.core import InputError
from spectrain.matrix import Spectrum
from spectrain.matrix.gram import panelled
from spectrain.rmt import count_spikes

DIRECTIONS = 10
"""Number of leading singular directions that are compared."""

PANEL = 1 << 17
"""Entries that are held in float64 at a time."""

RESOLVED = 10.0
"""Numerical errors by which a singular value must exceed zero to count as nonzero."""


def kept_rank(s: Spectrum, share: float) -> int:
    """The least r for which the r largest singular values keep ``share`` of the energy Σσ².

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> kept_rank(diagonal_spectrum(torch.tensor([3.0, 1.0, 1.0])), 0.9)
        2
    """
    energy = s.values.square().cumsum(-1)
    if not energy.numel() or not energy[-1] > 0:
        return 0
    return int((energy < share * energy[-1] * (1 - 1e-12)).sum()) + 1


def signal_rank(s: Spectrum, floor: float = 0.0) -> int | None:
    """Singular values of a change that neither white noise nor rounding accounts for.

    Where more than half of the values lie below ``floor`` or ten numerical errors, it is the number
    of the others; else the number of those that stand apart from a random bulk, at a level
    of 1 % (:func:`~spectrain.rmt.count_spikes`). Batch noise raises the rank that keeps a share of
    the energy; it does not raise this one.

    Args:
        s: spectrum of the change.
        floor: what the rounding of the stored numbers can bring about (:func:`rounding_floor`).

    Returns:
        The rank; ``None`` where nothing can be said: an empty matrix, one that is not finite, or a
        bulk of another kind.

    Source:
        Kritchman & Nadler (2009); Gavish & Donoho (2014), for why values below the edge of the
        noise hold nothing that can be used.

    Example:
        >>> from spectrain.matrix import spectrum
        >>> g = torch.Generator().manual_seed(0)
        >>> noise = 0.01 * torch.randn(60, 40, generator=g)
        >>> noise[:2, :2] += torch.diag(torch.tensor([2.0, 1.0]))
        >>> signal_rank(spectrum(noise))
        2
    """
    values = s.values.double().numpy(force=True)
    if not values.size or not np.isfinite(values).all():
        return None
    errors = s.error.double().numpy(force=True)
    floor = max(floor, values[0] * max(s.shape) * np.finfo(np.float64).eps)
    resolved = int((values > np.maximum(RESOLVED * errors, floor)).sum())
    if 2 * resolved <= values.size:
        return resolved
    try:
        return count_spikes(values**2, (max(s.shape), min(s.shape))).count
    except InputError:
        return None


def rounding_floor(norm: float, shape: tuple[int, int], dtype: torch.dtype) -> float:
    """Largest singular value that rounding can give the difference of two stored matrices.

    ε·rms(W)·(√m + √n): an entry is off by ε|w|/√12 at most, twice, and a random matrix of standard
    deviation σ reaches σ(√m + √n); the factor √6 that is left is a margin.

    Args:
        norm: ‖W‖_F.
        shape: (m, n).
        dtype: of the stored numbers.

    Example:
        >>> round(rounding_floor(8.0, (8, 8), torch.bfloat16), 3)
        0.044
    """
    m, n = shape
    entries = max(m * n, 1)
    return torch.finfo(dtype).eps * norm / entries**0.5 * (m**0.5 + n**0.5)


def leading_directions(
    matrix: Float[Tensor, "m n"], count: int
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "n k"]]:
    """The left and right singular vectors of the ``count`` largest singular values, in float64."""
    wide = matrix.shape[0] <= matrix.shape[1]
    short = matrix if wide else matrix.mT
    size = len(short)
    chosen = [max(size - count, 0), size - 1]
    decomposed = eigh(panelled(matrix, 1.0, torch.float64).numpy(), subset_by_index=chosen)
    vectors = torch.from_numpy(decomposed[1])
    others = torch.empty(short.shape[1], vectors.shape[1], dtype=torch.float64)
    height = max(1, PANEL // max(size, 1))
    for panel, image in zip(short.mT.split(height), others.split(height), strict=True):
        torch.mm(panel.double(), vectors, out=image)
    others = torch.linalg.qr(others).Q
    return (vectors, others) if wide else (others, vectors)


def overlap(one: Float[Tensor, "d k"], other: Float[Tensor, "d l"]) -> float:
    """Mean squared cosine ‖UᵀV‖_F²/min(k, l) between two subspaces given by orthonormal columns.

    1 where one holds the other, 0 where they are orthogonal, max(k, l)/d on average where they are
    random.

    Source:
        Golub & Van Loan, Matrix Computations, §6.4.3 (angles between subspaces).

    Example:
        >>> overlap(torch.eye(3)[:, :2], torch.eye(3)[:, 1:])
        0.5
    """
    return float((one.mT @ other).square().sum() / min(one.shape[1], other.shape[1]))
