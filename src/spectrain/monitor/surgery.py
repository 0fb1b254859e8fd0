"""Surgery on one matrix: what stands apart from its random bulk, and what is left without it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import Block
from spectrain.rmt import count_spikes


class Surgery(StrEnum):
    """What is done to the weights.

    ``BULK_TRUNCATED``: every singular component that does not stand significantly apart is removed.
    ``BULK_RANDOMISED``: the bulk keeps its singular values and gets random singular vectors,
    orthogonal to those that stand apart. ``PRUNED``: as many of the smallest entries are set to
    zero as have the energy (sum of squares) of the bulk. ``SPIKES_REMOVED``: the components that
    stand apart are removed instead, the control.
    """

    BULK_TRUNCATED = "bulk_truncated"
    BULK_RANDOMISED = "bulk_randomised"
    PRUNED = "pruned"
    SPIKES_REMOVED = "spikes_removed"


@dataclass(frozen=True, slots=True)
class Split:
    """A matrix, split into what stands apart and the bulk.

    Attributes:
        block: whose it is.
        left, values, right: singular value decomposition, the largest first, in float64.
        spikes: number of components that stand apart.
    """

    block: Block
    left: Float[Tensor, "m r"]
    values: Float[Tensor, " r"]
    right: Float[Tensor, "n r"]
    spikes: int

    @classmethod
    def of(cls, block: Block, matrix: Float[Tensor, "m n"], *, level: float) -> Split:
        """Decompose a matrix and count what stands apart.

        Raises:
            InputError: the matrix is zero or not finite.
        """
        left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        sides = max(matrix.shape), min(matrix.shape)
        counted = count_spikes(values.square().cpu().numpy(), sides, level=level)
        return cls(block, left, values, right.mT, counted.count)

    @property
    def energy(self) -> float:
        """Fraction of the sum of squares that is in the bulk."""
        squares = self.values.square()
        return float(squares[self.spikes :].sum() / squares.sum())

    def after(self, surgery: Surgery, generator: torch.Generator) -> Float[Tensor, "m n"]:
        """The matrix as the surgery leaves it."""
        k = self.spikes
        signal = self._rebuilt(self.left[:, :k], self.values[:k], self.right[:, :k])
        match surgery:
            case Surgery.BULK_TRUNCATED:
                return signal
            case Surgery.SPIKES_REMOVED:
                return self._rebuilt(self.left[:, k:], self.values[k:], self.right[:, k:])
            case Surgery.BULK_RANDOMISED:
                bases = (self._elsewhere(side, generator) for side in (self.left, self.right))
                left, right = bases
                return signal + self._rebuilt(left, self.values[k:], right)
            case Surgery.PRUNED:
                whole = self._rebuilt(self.left, self.values, self.right)
                return prune(whole, self.energy)

    def _elsewhere(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Random orthonormal vectors, orthogonal to those that stand apart."""
        kept = vectors[:, : self.spikes]
        shape = len(vectors), len(self.values) - self.spikes
        drawn = torch.empty(shape, dtype=torch.float64).normal_(generator=generator).to(kept)
        return torch.linalg.qr(drawn - kept @ (kept.mT @ drawn)).Q

    @staticmethod
    def _rebuilt(left: Tensor, values: Tensor, right: Tensor) -> Tensor:
        return (left * values) @ right.mT


def prune(matrix: Float[Tensor, "m n"], energy: float) -> Float[Tensor, "m n"]:
    """Set the smallest entries to zero, as many as together have at most that share of the energy.

    Example:
        >>> prune(torch.tensor([[3.0, 1.0], [-1.0, 0.0]]), 2 / 11)
        tensor([[3., 0.],
                [0., 0.]])
    """
    squares = matrix.square().flatten()
    order = squares.argsort()
    running = squares[order].cumsum(0)
    small = order[running <= energy * running[-1] * (1 + 1e-6)]
    pruned = matrix.flatten().clone()
    pruned[small] = 0
    return pruned.reshape(matrix.shape)


def write_matrix(block: Block, parameter: Tensor, matrix: Tensor) -> None:
    """Put a block's matrix back into its parameter, even where its view had to copy."""
    places = block.view.of(torch.arange(parameter.numel()).reshape(parameter.shape))
    parameter.view(-1)[places.reshape(-1).to(parameter.device)] = matrix.reshape(-1)
