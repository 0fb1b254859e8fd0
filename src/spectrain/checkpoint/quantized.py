"""Quantized matrices: fp8 with its scales is read, packed integers are reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

SCALES = ("_scale_inv", "_scale")
"""What the name of a scale adds to that of its weight."""

BLOCK = 128
"""Side of the square blocks that share a scale."""

_FP8 = frozenset({"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"})
_PACKED = frozenset({"qweight", "weight_packed"})
_BESIDE_PACKED = frozenset({"qzeros", "scales", "g_idx", "weight_scale", "weight_zero_point"})
_UNREAD = "packed integers of a quantized matrix, which are not read yet: dequantize them first"


def resolve_quantized(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with scaled fp8 weights joined to their scales and packed ones reported."""
    by_name = {item.name: item for item in checkpoint.tensors}
    packed = {item.name for item in checkpoint.tensors if _is_packed(item)}
    modules = {name.rpartition(".")[0] for name in packed}
    scale_of = _scales(by_name)
    scales = {scale: weight for weight, scale in scale_of.items()}
    tensors, skipped, missing = [], [], []
    for item in checkpoint.tensors:
        module, _, local = item.name.rpartition(".")
        if item.name in packed:
            missing.append(Skipped(item.name, f"{item.dtype}: {_UNREAD}"))
        elif item.name in scales:
            skipped.append(Skipped(item.name, f"the scales of {scales[item.name]!r}"))
        elif item.dtype == "float8_e8m0fnu" or (module in modules and local in _BESIDE_PACKED):
            skipped.append(Skipped(item.name, "scales of a quantized matrix"))
        elif item.name in scale_of:
            tensors.append(_scaled(item, by_name[scale_of[item.name]]))
        elif item.dtype in _FP8:
            tensors.append(replace(item, load=partial(_widened, item)))
        else:
            tensors.append(item)
    return replace(
        checkpoint,
        tensors=tuple(tensors),
        skipped=(*checkpoint.skipped, *skipped),
        missing=(*checkpoint.missing, *missing),
    )


def expand_scale(scale: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A scale as something that multiplies a matrix: one number, one a row, or one a block.

    Raises:
        InputError: the scale has none of these layouts.

    Example:
        >>> import torch
        >>> expand_scale(torch.tensor([[1.0], [2.0]]), (200, 3)).shape
        torch.Size([200, 3])
    """
    if scale.numel() == 1:
        return scale.reshape(())
    m, n = shape if len(shape) == 2 else (0, 0)
    if scale.numel() == m and scale.shape[0] == m:
        return scale.reshape(m, 1)
    if tuple(scale.shape) == (-(-m // BLOCK), -(-n // BLOCK)):
        rows = scale.repeat_interleave(BLOCK, 0)[:m]
        return rows.repeat_interleave(BLOCK, 1)[:, :n]
    raise InputError(
        f"its scales {tuple(scale.shape)} are neither one, nor a row's, nor those of blocks of "
        f"{BLOCK}",
        remedy="dequantize it first",
    )


def _is_packed(item: Stored) -> bool:
    local = item.name.rpartition(".")[2]
    integer = "int" in item.dtype
    return integer and (local in _PACKED or (local == "weight" and item.dtype.endswith("int8")))


def _scales(by_name: Mapping[str, Stored]) -> dict[str, str]:
    """fp8 weight → its scale."""
    return {
        name: name + ending
        for name, item in by_name.items()
        for ending in SCALES
        if item.dtype in _FP8 and name + ending in by_name
    }


def _scaled(item: Stored, scale: Stored) -> Stored:
    return replace(
        item, load=partial(_multiplied, item, scale), note=f"{item.dtype} times its scales"
    )


def _multiplied(item: Stored, scale: Stored) -> Tensor:
    factors = _widened(scale)
    return _widened(item).mul_(expand_scale(factors, item.shape))


def _widened(item: Stored) -> Tensor:
    tensor = item.load()
    assert isinstance(tensor, Tensor)
    return tensor.float()
