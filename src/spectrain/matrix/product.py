"""The spectrum of a product of two thin factors, without forming it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix.backends import spectrum
from spectrain.matrix.spectrum import Spectrum


def product_spectrum(
    left: Float[Tensor, "*batch m k"], right: Float[Tensor, "*batch k n"]
) -> Spectrum:
    """Singular values of left · right, from the triangular factors of its factors.

    With left = Q₁R₁ and rightᵀ = Q₂R₂ they are those of R₁R₂ᵀ, a matrix no larger than k × k,
    and zeros.

    Args:
        left: m × k.
        right: k × n.

    Source:
        Golub & Van Loan, Matrix Computations, §8.6.

    Example:
        >>> left, right = torch.tensor([[3.0], [4.0]]), torch.tensor([[0.0, 2.0, 0.0]])
        >>> product_spectrum(left, right).values
        tensor([10.,  0.], dtype=torch.float64)
    """
    shape = left.shape[-2], right.shape[-1]
    rank = min(shape)
    r1 = torch.linalg.qr(left.double(), mode="r").R
    r2 = torch.linalg.qr(right.mT.double(), mode="r").R
    core = spectrum(r1 @ r2.mT)
    padding = (0, rank - core.values.shape[-1])
    # A matrix that is not finite has values of NaN, the added ones too.
    fill = 0.0 * core.values.sum(-1, keepdim=True)
    zeros = fill.expand(*fill.shape[:-1], padding[1])
    return Spectrum(
        torch.cat([core.values, zeros], -1),
        torch.nn.functional.pad(core.error, padding, value=0.0),
        shape,
        f"factored/{core.method}",
        core.status,
    )
