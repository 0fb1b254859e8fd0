"""Models of gradient noise, to simulate replicas of a known signal."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Symmetry = Literal["none", "symmetric", "antisymmetric"]


def additive(
    signal: Float[Tensor, "m n"],
    *,
    replicas: int,
    generator: torch.Generator,
    row_std: float | Float[Tensor, " m"] = 1.0,
    column_std: float | Float[Tensor, " n"] = 1.0,
) -> Float[Tensor, "replicas m n"]:
    """G + diag(r) Z diag(c), Z iid standard normal: isotropic where r and c are numbers.

    Args:
        signal: G.
        replicas: R.
        generator: on the signal's device.
        row_std: r, a number or one a row.
        column_std: c, a number or one a column.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> additive(torch.zeros(2, 3), replicas=4, generator=g, row_std=0.1).shape
        torch.Size([4, 2, 3])
    """
    noise = _normal((replicas, *signal.shape), signal, generator)
    rows = torch.as_tensor(row_std).to(signal).reshape(-1, 1)
    return signal + rows * noise * torch.as_tensor(column_std).to(signal)


def proportional(
    signal: Float[Tensor, "m n"],
    *,
    replicas: int,
    generator: torch.Generator,
    left: float = 0.0,
    right: float = 0.0,
) -> Float[Tensor, "replicas m n"]:
    """G + aXG + bGY: additive noise in proportion to the signal, without the product term.

    To first order it cannot be distinguished from :func:`multiplicative` with the same a and b.

    Args:
        signal: G.
        replicas: R.
        generator: on the signal's device.
        left: a, standard deviation of the entries of aX (m × m).
        right: b, of bY (n × n).

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> proportional(torch.zeros(2, 3), replicas=4, generator=g, left=0.1).abs().max().item()
        0.0
    """
    m, n = signal.shape
    x = left * _normal((replicas, m, m), signal, generator)
    y = right * _normal((replicas, n, n), signal, generator)
    return signal + x @ signal + signal @ y


def multiplicative(
    signal: Float[Tensor, "m n"],
    *,
    replicas: int,
    generator: torch.Generator,
    left: float = 0.0,
    right: float = 0.0,
    symmetry: Symmetry = "none",
) -> Float[Tensor, "replicas m n"]:
    """(I + aX) G (I + bY): left-right multiplicative noise.

    Args:
        signal: G.
        replicas: R.
        generator: on the signal's device.
        left: a, standard deviation of the entries of aX (off the diagonal, if symmetric).
        right: b, of bY.
        symmetry: of X and Y; antisymmetric noise rotates without regard to spectral gaps.

    Source:
        “Multiplicative noise model for minibatch gradients”.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> x = multiplicative(torch.ones(1, 1), replicas=2, generator=g, left=1.0,
        ...                    symmetry="antisymmetric")
        >>> x.flatten()   # a 1 × 1 antisymmetric matrix is 0
        tensor([1., 1.])
    """
    factors = []
    for strength, size in ((left, signal.shape[0]), (right, signal.shape[1])):
        x = strength * _normal((replicas, size, size), signal, generator)
        if symmetry != "none":
            x = (x + x.mT if symmetry == "symmetric" else x - x.mT) / 2**0.5
        factors.append(torch.eye(size).to(signal) + x)
    return factors[0] @ signal @ factors[1]


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)
