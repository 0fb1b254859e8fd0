"""The change of one weight: the difference of two, or what an adapter makes of the base."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain.checkpoint.differences.directions import (
    PANEL,
    leading_directions,
    overlap,
    rounding_floor,
)
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
        norm: ‖W₀‖_F.
        rounding: largest singular value that rounding of the stored numbers can bring about.
        overlaps: of the leading left and right singular directions of W₀ and W₁, where both are
            dense and were asked for.
    """

    delta: Tensor | Product
    norm: float
    rounding: float = 0.0
    overlaps: tuple[float, float] | None = None

    def spectrum(self, method: Method) -> Spectrum:
        """Its singular values."""
        if isinstance(self.delta, Product):
            return self.delta.spectrum()
        if self.delta.ndim == 1:
            return diagonal_spectrum(self.delta)
        return spectrum(self.delta.contiguous(), method=method)


def change_of(
    pair: Pair,
    loaded: tuple[Tensor | Product, Tensor | Product | None],
    view: View,
    *,
    directions: int = 0,
    last: bool = False,
) -> Change:
    """The change of a pair that was loaded, through a view.

    Beside W₀ and W₁ there is one more matrix in memory, when their overlaps are known; none where
    the change may take the place of W₁.

    Args:
        pair: how the two are stored.
        loaded: what they are.
        view: of a block.
        directions: how many leading singular directions of the two are compared.
        last: W₁ is needed no more, and may be overwritten.

    Raises:
        InputError: a weight in factors is compared with a dense one that is not a change of it.
    """
    first, second = loaded
    if pair.onto is not None and isinstance(first, Tensor):
        second = pair.onto(first)
    elif pair.adapter and isinstance(first, Tensor):
        matrix = as_matrix(first, view)
        norm = _norm(matrix)
        if isinstance(second, Product):
            flat = (first.shape[0], first.numel() // max(first.shape[0], 1))
            if second.shape == flat[::-1] != flat:  # stored as inputs × outputs, as by Conv1D
                second = Product(second.right.mT, second.left.mT)
            if second.shape != flat:
                raise InputError(
                    f"the change is {second.shape} and the weight {flat}",
                    remedy="check that this is the adapter's base model",
                )
            return Change(second.seen_through(view), norm)
        assert second is not None
        delta = as_matrix(second.reshape(first.shape), view)
        overlaps = _overlaps(matrix, matrix + delta, norm, directions)
        return Change(delta, norm, overlaps=overlaps)
    if isinstance(first, Product) and isinstance(second, Product):
        one, two = first.seen_through(view), second.seen_through(view)
        return Change(two.minus(one), frobenius_norm(one.spectrum()).item())
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        a, b = as_matrix(first, view), as_matrix(second, view)
        norm = _norm(a)
        stored = max((first.dtype, second.dtype), key=lambda dtype: torch.finfo(dtype).eps)
        exact = pair.onto is not None or a.ndim != 2
        rounding = 0.0 if exact else rounding_floor(norm, (a.shape[0], a.shape[1]), stored)
        b = b.to(a.dtype)
        overlaps = _overlaps(a, b, norm, directions)
        delta = b.sub_(a) if last and b.is_contiguous() else b - a
        return Change(delta, norm, rounding, overlaps)
    raise InputError("a factored matrix and a dense one", remedy="merge the adapter first")


def _overlaps(a: Tensor, b: Tensor, norm: float, count: int) -> tuple[float, float] | None:
    finite = math.isfinite(norm) and math.isfinite(_norm(b))
    if not count or a.ndim != 2 or not norm > 0 or not finite:
        return None
    (u0, v0), (u1, v1) = (leading_directions(w, count) for w in (a, b))
    return overlap(u0, u1), overlap(v0, v1)


def _norm(matrix: Tensor) -> float:
    """‖W‖_F, in float64 panel by panel: torch would widen the whole.

    As numbers and not as tensors: small tensors that stay keep the panels' memory in pieces.
    """
    height = max(1, PANEL // max(matrix[:1].numel(), 1))
    panels = matrix.split(height)
    return math.hypot(*(torch.linalg.vector_norm(p, dtype=torch.float64).item() for p in panels))


def as_matrix(whole: Tensor, view: View) -> Tensor:
    """What a view takes, in float32 or float64."""
    matrix = view.of(whole)
    return matrix if matrix.dtype == torch.float64 else matrix.float()


def parts_of(blocks: tuple[Block, ...]) -> bool:
    """Whether blocks are parts of a module that an adapter adapts as a whole."""
    whole = all(block.view.index is None and not block.view.diagonal for block in blocks)
    return len(blocks) > 1 and whole
