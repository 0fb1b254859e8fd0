"""Random transformations: other directions, added noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from spectrain.core import InputError
from spectrain.optim.interventions.transformation import Memory, Property, Transformation

Matrix = Float[Tensor, "*batch m n"]


class RandomizeDirections(Transformation):
    """Keep the singular values, turn left and right singular vectors by random rotations.

    QAPᵀ with Q and P drawn by Haar measure, anew at every call and for every matrix of a stack.

    Args:
        generator: draws the rotations.

    Source:
        Mezzadri 2007 (QR of a Gaussian matrix, with the signs of the diagonal of R).

    Example:
        >>> turn = RandomizeDirections(torch.Generator().manual_seed(0))
        >>> turned = turn(torch.diag(torch.tensor([3.0, 2.0])))
        >>> torch.linalg.svdvals(turned)
        tensor([3., 2.])
    """

    conserves = frozenset(Property) - {Property.DIRECTIONS}
    changes = frozenset({Property.DIRECTIONS})

    generator: Generator

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """QAPᵀ."""
        *batch, m, n = matrix.shape
        left, right = (self._haar(batch, size).to(matrix.device) for size in (m, n))
        return (left @ matrix.double() @ right.mT).to(matrix.dtype)

    def _haar(self, batch: list[int], size: int) -> Tensor:
        gaussian = torch.randn(
            (*batch, size, size),
            generator=self.generator,
            device=self.generator.device,
            dtype=torch.float64,
        )
        q, r = torch.linalg.qr(gaussian)
        return q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


class AddNoise(Transformation):
    """A + N with independent Gaussian entries and ‖A‖_F²/E‖N‖_F² = snr.

    Args:
        snr: power ratio of signal and noise, above 0.
        generator: draws the noise.

    Raises:
        InputError: the ratio is not positive.

    Example:
        >>> noisy = AddNoise(4.0, torch.Generator().manual_seed(0))
        >>> a = torch.ones(100, 100)
        >>> round((a.square().sum() / (noisy(a) - a).square().sum()).item(), 1)
        4.0
    """

    conserves = frozenset[Property]()
    changes = frozenset(Property)

    generator: Generator

    def __init__(self, snr: float, generator: Generator) -> None:
        if not snr > 0:
            raise InputError(f"snr is {snr}", remedy="pass a positive power ratio")
        self.snr, self.generator = snr, generator

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """A + N."""
        noise = torch.randn(
            matrix.shape,
            generator=self.generator,
            device=self.generator.device,
            dtype=torch.float32,
        ).to(matrix.device)
        entries = matrix.shape[-2] * matrix.shape[-1]
        norm = torch.linalg.matrix_norm(matrix.float(), keepdim=True)
        return (matrix + noise * (norm / (self.snr * entries) ** 0.5)).to(matrix.dtype)
