"""What a checkpoint is to those who inspect it: named tensors that are read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import Skipped, View
from spectrain.matrix import Spectrum, product_spectrum


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A matrix that is stored as two thin factors, and never formed: left · right.

    Attributes:
        left: m × k.
        right: k × n.

    Example:
        >>> product = Product(torch.tensor([[3.0], [4.0]]), torch.tensor([[0.0, 2.0, 0.0]]))
        >>> product.shape, product.spectrum().values
        ((2, 3), tensor([10.,  0.], dtype=torch.float64))
    """

    left: Float[Tensor, "m k"]
    right: Float[Tensor, "k n"]

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.left.shape[0], self.right.shape[1]

    def seen_through(self, view: View) -> Product:
        """The product of the same factors that a block's view takes out of the whole."""
        left, right = self.left, self.right
        if view.transpose:
            left, right = right.mT, left.mT
        return Product(View(rows=view.rows).of(left), View(columns=view.columns).of(right))

    def minus(self, other: Product) -> Product:
        """The difference of two products, factored again."""
        left = torch.cat([self.left, -other.left], 1)
        return Product(left, torch.cat([self.right, other.right]))

    def spectrum(self) -> Spectrum:
        """Singular values of the product, without forming it."""
        return product_spectrum(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor of a checkpoint, not yet read.

    Attributes:
        name: as the file has it; may hold anything.
        shape: of the tensor that :attr:`load` returns.
        dtype: of the numbers on file, such as ``"bfloat16"`` or ``"Q4_1"``.
        load: reads it. Raises :class:`~spectrain.core.InputError` or :class:`OSError` where the
            file does not give what its header promised.
        note: what qualifies every number about it, such as "dequantized from Q4_1".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], Tensor | Product] = field(repr=False)
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tensors of one checkpoint.

    Attributes:
        path: file or folder.
        format: what kind of file it is.
        tensors: those that can be read, in the order of the file.
        skipped: tensors that are not weights, or repeat another one, each with its reason.
        missing: weights that belong to it and cannot be read, each with its reason.
        step: the optimizer's step at which it was taken, where file or name say so.
        notes: what a reader should know of how it was read.
        metadata: what its own header says of it.
        config: what ``config.json`` beside it says of the model.
        onto: of an adapter, what makes the adapted weight out of the base model's, by its name,
            where that is more than adding the change.
    """

    path: Path
    format: str
    tensors: tuple[Stored, ...]
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[Skipped, ...] = ()
    step: int | None = None
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    onto: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
