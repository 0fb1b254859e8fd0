"""The change of one weight: the difference of two, or what an adapter makes of the base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain.checkpoint.differences.directions import rounding_floor
from spectrain.checkpoint.stored import Product, Stored
from spectrain.core import Block, InputError, View
from spectrain.matrix import Spectrum, diagonal_spectrum, frobenius_norm, spectrum
from spectrain.matrix.backends import Method


@dataclass(frozen=True, slots=True)
class Pair:
    """A weight before and after, as it is stored.

    Attributes:
        before: W₀.
        after: W₁; the change itself where ``adapter``; nothing where ``onto`` makes it.
        adapter: whether ``after`` is a change.
        onto: makes W₁ out of W₀.
    """

    before: Stored
    after: Stored | None
    adapter: bool = False
    onto: Callable[[Tensor], Tensor] | None = None

    def load(self) -> tuple[Tensor | Product, Tensor | Product | None]:
        """W₀, and W₁ or the change; the latter ``None`` where ``onto`` makes it."""
        made = self.after.load() if self.after is not None and self.onto is None else None
        return self.before.load(), made


@dataclass(frozen=True, slots=True)
class Change:
    """W₁ − W₀ through the view of a block.

    Attributes:
        delta: the matrix, or its factors.
        before: W₀ where it is dense.
        after: W₁ where it is dense.
        norm: ‖W₀‖_F.
        rounding: largest singular value that rounding of the stored numbers can bring about.
    """

    delta: Tensor | Product
    before: Tensor | None
    after: Tensor | None
    norm: float
    rounding: float = 0.0

    def spectrum(self, method: Method) -> Spectrum:
        """Its singular values."""
        if isinstance(self.delta, Product):
            return self.delta.spectrum()
        if self.delta.ndim == 1:
            return diagonal_spectrum(self.delta)
        return spectrum(self.delta.contiguous(), method=method)


def change_of(
    pair: Pair, loaded: tuple[Tensor | Product, Tensor | Product | None], view: View
) -> Change:
    """The change of a pair that was loaded, through a view.

    Raises:
        InputError: a weight in factors stands against a dense one that is no change of it.
    """
    first, second = loaded
    if pair.onto is not None and isinstance(first, Tensor):
        second = pair.onto(first)
    elif pair.adapter and isinstance(first, Tensor):
        matrix = as_matrix(first, view)
        norm = float(torch.linalg.vector_norm(matrix, dtype=torch.float64))
        if isinstance(second, Product):
            flat = (first.shape[0], first.numel() // max(first.shape[0], 1))
            if second.shape == flat[::-1] != flat:  # stored as inputs × outputs, as by Conv1D
                second = Product(second.right.mT, second.left.mT)
            if second.shape != flat:
                raise InputError(
                    f"the change is {second.shape} and the weight {flat}",
                    remedy="check that this is the adapter's base model",
                )
            return Change(second.seen_through(view), None, None, norm)
        assert second is not None
        delta = as_matrix(second.reshape(first.shape), view)
        return Change(delta, matrix, matrix + delta, norm)
    if isinstance(first, Product) and isinstance(second, Product):
        one, two = first.seen_through(view), second.seen_through(view)
        return Change(two.minus(one), None, None, frobenius_norm(one.spectrum()).item())
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        a, b = as_matrix(first, view), as_matrix(second, view)
        norm = float(torch.linalg.vector_norm(a, dtype=torch.float64))
        stored = max((first.dtype, second.dtype), key=lambda dtype: torch.finfo(dtype).eps)
        exact = pair.onto is not None or a.ndim != 2
        rounding = 0.0 if exact else rounding_floor(norm, (a.shape[0], a.shape[1]), stored)
        return Change(b.to(a.dtype) - a, a, b.to(a.dtype), norm, rounding)
    raise InputError("a factored matrix and a dense one", remedy="merge the adapter first")


def as_matrix(whole: Tensor, view: View) -> Tensor:
    """What a view takes, in float32 or float64."""
    matrix = view.of(whole)
    return matrix if matrix.dtype == torch.float64 else matrix.float()


def parts_of(blocks: tuple[Block, ...]) -> bool:
    """Whether blocks are parts of a module that an adapter adapts as a whole."""
    whole = all(block.view.index is None and not block.view.diagonal for block in blocks)
    return len(blocks) > 1 and whole
