"""Random matrices that several topics draw, and their stable ranks."""

from __future__ import annotations

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

KINDS = ("gaussian", "orthogonal", "power law", "rank 2", "repeated", "uneven")


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Entries N(0, 1) in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def gaussian(rows: int, columns: int, generator: torch.Generator) -> Float[Tensor, "rows columns"]:
    """Entries N(0, 1/columns): Assumption A."""
    return normal(generator, rows, columns) / sqrt(columns)


def fixed_weights(
    kind: str, rows: int, inputs: int, generator: torch.Generator
) -> Float[Tensor, "m d"]:
    """Weights that no theorem may depend on.

    Args:
        kind: ``gaussian``; ``orthogonal`` columns or rows; singular values by a ``power law`` 1/i;
            ``rank 2``; one row ``repeated`` with every other replaced by noise of a tenth; or rows
            of very ``uneven`` norms.
        rows: m.
        inputs: d.
        generator: of the draws.
    """
    w = normal(generator, rows, inputs)
    u, s, vh = torch.linalg.svd(w, full_matrices=False)
    if kind == "orthogonal":
        return u @ vh
    if kind == "power law":
        return u @ torch.diag(1 / torch.arange(1, len(s) + 1, dtype=torch.float64)) @ vh
    if kind == "rank 2":
        return u[:, :2] @ vh[:2]
    if kind == "repeated":
        return w[:1] + 0.1 * w
    if kind == "uneven":
        return w * normal(generator, rows, 1).mul(2).exp()
    return w


def rms_norm(x: Float[Tensor, "d n"]) -> Float[Tensor, "d n"]:
    """Columns √d·x_t/‖x_t‖, without gain.

    Example:
        >>> round(rms_norm(torch.tensor([[3.0], [4.0]])).square().sum().item(), 5)
        2.0
    """
    return x * sqrt(x.shape[0]) / x.norm(dim=0)


def effective_rank(moment: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    """er(B) = tr(B)/‖B‖_op of a positive semidefinite matrix.

    Example:
        >>> effective_rank(torch.diag(torch.tensor([2.0, 1.0]))).item()
        1.5
    """
    return moment.diagonal(dim1=-2, dim2=-1).sum(-1) / torch.linalg.eigvalsh(moment)[..., -1]


def stable_ranks(matrices: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Stable rank of every matrix of a stack, by the smaller Gram matrix.

    Example:
        >>> stable_ranks(torch.eye(3).expand(2, 3, 3))
        tensor([3., 3.])
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    return effective_rank(matrices.mT @ matrices if tall else matrices @ matrices.mT)
