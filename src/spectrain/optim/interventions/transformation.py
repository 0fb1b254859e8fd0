"""What a transformation of a matrix is: a map that says what it changes and what it conserves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from jaxtyping import Float
from torch import Generator, Tensor

from spectrain.core import InputError

Memory = dict[str, Any]
"""What a transformation remembers of one parameter from step to step."""


class Property(StrEnum):
    """What can be conserved of A = Σσᵢuᵢvᵢᵀ.

    ``DIRECTIONS``: every uᵢ, vᵢ is still a pair of singular vectors (with σ = 0 perhaps).
    ``SPECTRUM``: the singular values. ``SHARES``: σ/Σσ, and with it every rank. ``RANK``: how many
    σ differ from 0. ``FROBENIUS``, ``NUCLEAR``: the norms ‖A‖_F and ‖A‖_*.
    """

    DIRECTIONS = "directions"
    SPECTRUM = "spectrum"
    SHARES = "shares"
    RANK = "rank"
    FROBENIUS = "Frobenius norm"
    NUCLEAR = "nuclear norm"


class Transformation(ABC):
    """A map of matrices, and of stacks of matrices one by one.

    Attributes:
        changes: what it does not keep of a matrix in general.
        conserves: what it keeps of every finite matrix.
        generator: the source of its randomness, if it is random.
    """

    changes: frozenset[Property]
    conserves: frozenset[Property]
    generator: Generator | None = None

    @abstractmethod
    def apply(
        self, matrix: Float[Tensor, "*batch m n"], memory: Memory
    ) -> Float[Tensor, "*batch m n"]:
        """The transformed matrix, of the same shape and dtype.

        Args:
            matrix: finite.
            memory: of this parameter; empty at first. A transformation without memory ignores it.
        """

    def __call__(self, matrix: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch m n"]:
        """The transformed matrix, where nothing came before."""
        return self.apply(matrix, {})


class Compose(Transformation):
    """One transformation after the other.

    It conserves what all of them conserve; what one changes, another may restore.

    Raises:
        InputError: there is none.

    Example:
        >>> import torch
        >>> from spectrain.optim.interventions import KeepTop, Orthonormalize
        >>> both = Compose([KeepTop(1), Orthonormalize("exact")])
        >>> both(torch.diag(torch.tensor([3.0, 2.0]))).diagonal()
        tensor([1., 0.])
    """

    def __init__(self, parts: Sequence[Transformation]) -> None:
        if not parts:
            raise InputError("nothing to compose", remedy="pass at least one transformation")
        self.parts = tuple(parts)
        generators = {id(p.generator): p.generator for p in parts if p.generator is not None}
        if len(generators) > 1:
            raise InputError(
                "the parts draw from several generators", remedy="pass one and the same to all"
            )
        self.generator = next(iter(generators.values()), None)
        self.conserves = frozenset.intersection(*(part.conserves for part in parts))
        self.changes = frozenset.union(*(part.changes for part in parts))

    def apply(
        self, matrix: Float[Tensor, "*batch m n"], memory: Memory
    ) -> Float[Tensor, "*batch m n"]:
        """Apply the parts in order, each with a memory of its own."""
        for number, part in enumerate(self.parts):
            matrix = part.apply(matrix, memory.setdefault(str(number), {}))
        return matrix
