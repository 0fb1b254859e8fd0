"""By how much a matrix lengthens its input: the quantities of the coordinate check."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def second_moment_energy(
    matrix: Float[Tensor, "*batch m n"], second: Float[Tensor, "n n"]
) -> Float[Tensor, "*batch"]:
    """‖M A‖_F² = tr(M C Mᵀ), of A by its second moment C = A Aᵀ alone; in float64.

    Example:
        >>> second_moment_energy(torch.tensor([[1.0, 2.0]]), torch.eye(2)).item()
        5.0
    """
    return ((matrix @ second) * matrix).double().sum((-2, -1))


def rms_gain(
    made: Float[Tensor, "*batch"], fed: Float[Tensor, "*batch"], shape: tuple[int, int]
) -> Float[Tensor, "*batch"]:
    """‖M x‖_rms/‖x‖_rms over a batch, rms the root mean square over coordinates and columns.

    A layer keeps its pace at any width where both ‖W x‖_rms/‖x‖_rms and ‖ΔW x‖_rms/‖x‖_rms do not
    depend on its shape; the operator norm that goes with that is of the order of √(m/n).

    Args:
        made: ‖M A‖_F².
        fed: ‖A‖_F².
        shape: m × n, of M.

    Source:
        Yang, Simon & Bernstein 2023, arXiv:2310.17813, §3 (the spectral condition); the
        coordinate check: Yang et al. 2022, arXiv:2203.03466, appendix D.

    Example:
        >>> made, fed = torch.tensor(8.0), torch.tensor(2.0)
        >>> rms_gain(made, fed, (1, 4)).item()  # twice the length, in a quarter of the coordinates
        4.0
    """
    rows, columns = shape
    return (made / fed).sqrt() * (columns / rows) ** 0.5


def sampled_gain(
    matrix: Float[Tensor, "m n"], columns: Float[Tensor, "s n"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The gain over sampled columns x of A (as rows), and its standard error.

    The ratio of two sums over columns; its error is that of the linearised ratio.

    Source:
        Cochran, Sampling Techniques, §2.11 (variance of a ratio).

    Example:
        >>> gain, error = sampled_gain(torch.eye(2), torch.tensor([[1.0, 0.0], [3.0, 4.0]]))
        >>> gain.item(), error.item()
        (1.0, 0.0)
    """
    made = torch.linalg.vector_norm(columns @ matrix.mT, dim=1).double().square()
    fed = torch.linalg.vector_norm(columns, dim=1).double().square()
    count = len(columns)
    ratio = made.sum() / fed.sum()
    gain = rms_gain(made.sum(), fed.sum(), (matrix.shape[0], matrix.shape[1]))
    rest = made - ratio * fed
    spread = (rest.square().sum() / (count * (count - 1))).sqrt() if count > 1 else rest.sum()
    return gain, gain * spread / fed.mean() / (2 * ratio.clamp_min(1e-300))
