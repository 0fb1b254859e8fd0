"""Weight-normed layers: the two tensors of each become the weight that the layer multiplies by."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Product, Stored
from spectrain.core import InputError, Skipped

_PAIRS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)
"""Names of size and direction: of ``torch.nn.utils.weight_norm`` and of its parametrization."""


def join_weight_norm(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with W = g·v/‖v‖ in place of every pair (g, v).

    The norm is over all dimensions of which g has one entry.

    Source:
        Salimans & Kingma 2016, "Weight normalization", equation (2).
    """
    named = {item.name: item for item in checkpoint.tensors}
    weights: dict[str, Stored] = {}
    of: dict[str, str] = {}
    for item in checkpoint.tensors:
        for size, direction in _PAIRS:
            module = item.name.removesuffix(direction)
            g = named.get(f"{module}{size}")
            whole = f"{module}weight"
            if module == item.name or g is None or whole in named or not _fit(g, item):
                continue
            load = partial(_load, g, item)
            weights[item.name] = Stored(
                whole, item.shape, item.dtype, load, "g·v/‖v‖ of a weight-normed layer"
            )
            of |= {g.name: whole, item.name: whole}
    if not weights:
        return checkpoint
    return replace(
        checkpoint,
        tensors=tuple(
            weights.get(item.name, item)
            for item in checkpoint.tensors
            if item.name in weights or item.name not in of
        ),
        skipped=(
            *checkpoint.skipped,
            *(Skipped(name, f"a part of {whole!r}") for name, whole in of.items()),
        ),
    )


def _fit(g: Stored, v: Stored) -> bool:
    alike = len(g.shape) == len(v.shape) >= 2
    return alike and all(a in {1, b} for a, b in zip(g.shape, v.shape, strict=True))


def _load(g: Stored, v: Stored) -> Tensor:
    size, direction = g.load(), v.load()
    if isinstance(size, Product) or isinstance(direction, Product):
        raise InputError(f"{v.name!r} is a product of factors", remedy="inspect the merged weights")
    wide = torch.promote_types(direction.dtype, torch.float32)
    size, direction = size.to(wide), direction.to(wide)
    along = [dim for dim, side in enumerate(size.shape) if side == 1 != direction.shape[dim]]
    norm = (
        torch.linalg.vector_norm(direction, dim=along, keepdim=True) if along else direction.abs()
    )
    return size * direction / norm
