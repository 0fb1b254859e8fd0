"""How far a changed input moves a matrix's output, from sums over sampled columns."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.stability.gain import rms_gain

SUMS = 6
"""Sums that :func:`propagating_sums` makes; they add up over parts of a batch."""


def propagating_sums(
    matrix: Float[Tensor, "m n"], change: Float[Tensor, "s n"], before: Float[Tensor, "s n"]
) -> Float[Tensor, 6]:
    """Of columns x (as rows): their number, Σp, Σf, Σp², Σpf, Σf² with p = ‖W Δx‖² and f = ‖x‖².

    Args:
        matrix: W after the step, so that W Δx + ΔW x is the whole change of W x.
        change: Δx, what the step made of each column.
        before: x.

    Example:
        >>> sums = propagating_sums(torch.eye(2), torch.ones(1, 2), 2 * torch.ones(1, 2))
        >>> [round(one, 4) for one in sums.tolist()]
        [1.0, 2.0, 8.0, 4.0, 16.0, 64.0]
    """
    moved = torch.linalg.vector_norm(change @ matrix.mT, dim=1).double().square()
    fed = torch.linalg.vector_norm(before, dim=1).double().square()
    products = (moved, fed, moved.square(), moved * fed, fed.square())
    return torch.stack([moved.new_tensor(float(len(moved))), *(one.sum() for one in products)])


def propagating_gain(
    sums: Float[Tensor, 6], shape: tuple[int, int]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """‖W Δx‖_rms/‖x‖_rms and its standard error over columns, that of the linearised ratio.

    The change of a layer's output has two parts, W Δx + ΔW x: what the layers below pass on, the
    *propagating* update, and what the layer's own step adds, the *effective* update. At any width
    both stay of one order under the scaling that lets features be learned. Zero where nothing
    changed below; then the error is zero too.

    Args:
        sums: of :func:`propagating_sums`, added over all columns.
        shape: m × n, of W.

    Returns:
        In float64; the error is NaN of a single column.

    Source:
        Haas, Bordt, von Luxburg & Vankadara 2025, arXiv:2505.22491 (refined coordinate check:
        effective and propagating updates, there since initialisation, here of one step); Yang,
        Simon & Bernstein 2023, arXiv:2310.17813, §3 (the spectral condition); variance of a
        ratio: Cochran, Sampling Techniques, §2.11.

    Example:
        >>> sums = propagating_sums(torch.eye(2), torch.eye(2), 2 * torch.eye(2))
        >>> gain, error = propagating_gain(sums, (2, 2))
        >>> gain.item(), error.item()
        (0.5, 0.0)
    """
    count, moved, fed, moved_squared, product, fed_squared = sums.double()
    ratio = moved / fed
    rest = (moved_squared - 2 * ratio * product + ratio.square() * fed_squared).clamp_min(0.0)
    gain = rms_gain(moved, fed, shape)
    spread = (rest / (count * (count - 1))).sqrt()
    error = gain * spread / (fed / count) / (2 * ratio.clamp_min(1e-300))
    return gain, torch.where(count > 1, error, torch.nan)
