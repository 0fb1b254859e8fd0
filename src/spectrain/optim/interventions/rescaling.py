"""Cheap transformations: rows, columns and entries rescaled, without any decomposition."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError
from spectrain.optim.interventions.transformation import Memory, Property, Transformation

Matrix = Float[Tensor, "*batch m n"]

_KEEPS_RANK = frozenset({Property.RANK})
_BUT_RANK = frozenset(Property) - {Property.RANK}


class NormalizeRows(Transformation):
    """Divide every row by its Euclidean norm: DA with D diagonal, which keeps the rank.

    Source:
        Steepest descent under max over rows of ‖·‖₂ (Pethick et al. 2025, arXiv:2502.07529, §2).

    Example:
        >>> NormalizeRows()(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """

    conserves, changes = _KEEPS_RANK, _BUT_RANK

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """Rows of unit norm."""
        return _unit(matrix, dim=-1)


class NormalizeColumns(Transformation):
    """Divide every column by its Euclidean norm.

    Example:
        >>> NormalizeColumns()(torch.tensor([[3.0, 0.0], [4.0, 0.0]]))
        tensor([[0.6000, 0.0000],
                [0.8000, 0.0000]])
    """

    conserves, changes = _KEEPS_RANK, _BUT_RANK

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """Columns of unit norm."""
        return _unit(matrix, dim=-2)


class Scale(Transformation):
    """Multiply by a number; for a stack of matrices, by one number each.

    Args:
        factor: one number, or as many as the stack has matrices.

    Example:
        >>> Scale(torch.tensor([1.0, 2.0]))(torch.ones(2, 1, 1)).flatten()
        tensor([1., 2.])
    """

    conserves = frozenset({Property.DIRECTIONS, Property.SHARES, Property.RANK})
    changes = frozenset({Property.SPECTRUM, Property.FROBENIUS, Property.NUCLEAR})

    def __init__(self, factor: float | Float[Tensor, " stack"]) -> None:
        self.factor = torch.as_tensor(factor)

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """c·A."""
        factor = self.factor.to(matrix.device, matrix.dtype)
        return matrix * (factor if factor.ndim == 0 else factor[..., None, None])


class ScaleByShape(Transformation):
    """Multiply an m × n matrix by √max(1, m/n), as Muon does with its orthonormal update.

    Source:
        Jordan et al. 2024 (Muon); ``adjust_lr_fn="original"`` of :class:`torch.optim.Muon`.

    Example:
        >>> ScaleByShape()(torch.ones(4, 1)).flatten()
        tensor([2., 2., 2., 2.])
    """

    conserves, changes = Scale.conserves, Scale.changes

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """√max(1, m/n)·A."""
        m, n = matrix.shape[-2:]
        return matrix * max(1.0, m / n) ** 0.5


class DiagonalFisher(Transformation):
    """Divide every entry by the running mean of its square, plus damping: A/(v̂ + λ·mean v̂).

    v̂ is the bias-corrected exponential average of A∘A: the diagonal of the empirical Fisher matrix
    when A is a gradient. Unlike Adam it takes no root, as a natural-gradient step does.

    Args:
        decay: of the average, in [0, 1).
        damping: λ > 0, in units of the mean of v̂.

    Raises:
        InputError: decay or damping is out of range.

    Source:
        Amari 1998; Martens 2020, §11 (diagonal empirical Fisher), with damping relative to its
        mean so that the step depends on the gradient's unit only by a factor.

    Example:
        >>> fisher = DiagonalFisher(decay=0.9, damping=1.0)
        >>> fisher(torch.tensor([[2.0, 2.0]]))  # 2/(4 + 4)
        tensor([[0.2500, 0.2500]])
    """

    conserves = frozenset[Property]()
    changes = frozenset(Property)

    def __init__(self, *, decay: float = 0.95, damping: float = 0.1) -> None:
        if not 0 <= decay < 1 or not damping > 0:
            raise InputError(
                f"decay {decay} and damping {damping}",
                remedy="take 0 ≤ decay < 1 and a positive damping",
            )
        self.decay, self.damping = decay, damping

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """A/(v̂ + λ·mean v̂)."""
        square = matrix.float().square()
        memory["steps"] = memory.get("steps", 0) + 1
        average = memory.setdefault("average", torch.zeros_like(square))
        average.lerp_(square, 1 - self.decay)
        fisher = average / (1 - self.decay ** memory["steps"])
        damped = fisher + self.damping * fisher.mean((-2, -1), keepdim=True)
        return (matrix / torch.where(damped == 0, 1.0, damped)).to(matrix.dtype)


def _unit(matrix: Matrix, *, dim: int) -> Matrix:
    norm = torch.linalg.vector_norm(matrix, dim=dim, keepdim=True)
    return matrix / torch.where(norm == 0, 1.0, norm)
