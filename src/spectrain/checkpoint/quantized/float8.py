"""fp8 weights with their scales: one number, one a row or column, a group of columns or a block.

Source:
    DeepSeek-V3 Technical Report (2024), §3.3 (blocks of 128 × 128); OCP Microscaling Formats (MX)
    Specification v1.0, §5.1 (groups of 32 with a power of two, E8M0).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder
from spectrain.checkpoint.stored import Stored
from spectrain.core import InputError

FP8 = frozenset({"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"})

SCALES = (
    "weight_scale_inv",
    "weight_scale",
    "scale_weight",
    "weight_scales",
    "weight.scale",
    "scale_inv",
    "scale",
    "scales",
)
"""Names of the scale of ``weight`` beside it; all are factors, whatever they are called."""

OF_INPUTS = re.compile(
    r"(?:.*_)?(?:in|input|out|output|x|q|k|v|kv|act|activations?|smooth|logits?|prob)_scales?(?:_.*)?"
    r"|scale_(?:in|input|out|output|x)",
    re.ASCII,
)
"""Names of scales that belong to activations."""

BLOCK = 128
"""Side of the square blocks that share a scale, where the config gives no other."""

E8M0_BIAS = 127
"""An octet e stands for 2^(e − 127)."""

UNSCALED = "fp8 without a known scale: if it has one, the norms lack it as a factor"


@decoder("fp8")
def find_float8(held: Held) -> Iterator[Claim]:
    """fp8 tensors with their scales; those without get a note."""
    block = _block(held)
    inside = _by_module(held)
    for name, stored in held.tensors.items():
        if stored.dtype not in FP8:
            continue
        path, _, local = name.rpartition(".")
        own = inside[path]
        scale, beside = _scale_of(local, own, held.tensors.get(f"{name}.scale"))
        parts = (name, *(one.name for one in beside))
        if scale is not None:
            tensors = {"weight": stored, "scale": scale}
            note = f"{stored.dtype} times its scales"
            weight = decoded(name, stored.shape, tensors, multiplied, note, {"block": block})
            yield Claim(weight, (name, scale.name, *parts[1:]))
        elif unknown := [one for one in beside if not OF_INPUTS.fullmatch(_local(one))]:
            why = f"fp8 beside {_local(unknown[0])!r}, of which it is not known how it scales"
            yield Claim(None, parts, f"{why}: dequantize it first")
        else:
            whole = replace(stored, load=partial(_widened, stored))
            matrix = len(stored.shape) > 1
            yield Claim(replace(whole, note=UNSCALED if matrix else None), parts)


def _scale_of(
    local: str, own: Mapping[str, Stored], inner: Stored | None
) -> tuple[Stored | None, list[Stored]]:
    """The scale of a tensor, and the other scales of its module that may be its own."""
    if inner is not None:
        return inner, []
    # What is not called weight shares its module with others: the scale bears its name.
    ends = SCALES if local == "weight" else [end for end in SCALES if "weight" in end]
    ends = [end.replace("weight", local, 1) for end in ends]
    scale = next((own[end] for end in ends if end in own), None)
    named = [
        one
        for key, one in own.items()
        if "scale" in key and one is not scale and one.dtype not in FP8
    ]
    return scale, [one for one in named if local == "weight" or _local(one).startswith(local)]


def _by_module(held: Held) -> dict[str, dict[str, Stored]]:
    inside: dict[str, dict[str, Stored]] = {}
    for name, stored in held.tensors.items():
        path, _, own = name.rpartition(".")
        inside.setdefault(path, {})[own] = stored
    return inside


def _local(stored: Stored) -> str:
    return stored.name.rpartition(".")[2]


def multiplied(
    weight: Tensor, scale: Tensor, *, block: tuple[int, int] = (BLOCK, BLOCK)
) -> Float[Tensor, "*shape"]:
    """A weight times its scales, in float32; scales in octets are powers of two (E8M0)."""
    if scale.dtype == torch.uint8:
        scale = torch.exp2(scale.float() - E8M0_BIAS)
    return weight.float().mul_(expand_scale(scale.float(), tuple(weight.shape), block))


def expand_scale(
    scale: Tensor, shape: tuple[int, ...], block: tuple[int, int] = (BLOCK, BLOCK)
) -> Tensor:
    """A scale as something that multiplies a weight: of the whole, of rows, columns or blocks.

    A stack of matrices has such a scale for each.

    Raises:
        InputError: the scale has none of these layouts.

    Example:
        >>> import torch
        >>> expand_scale(torch.tensor([[1.0], [2.0]]), (200, 3)).shape
        torch.Size([200, 3])
    """
    if scale.numel() == 1:
        return scale.reshape(())
    *stack, m, n = shape if len(shape) > 1 else (0, 0)
    if tuple(scale.shape) in {(m,), (*stack, m, 1)}:
        return scale.reshape(*stack, m, 1)
    if tuple(scale.shape) == (*stack, 1, n):
        return scale
    if stack and scale.numel() == stack[0] and scale.shape[0] == stack[0]:
        return scale.reshape(*stack, *(1,) * (len(shape) - len(stack)))
    if len(scale.shape) == len(shape) and tuple(scale.shape[:-1]) == tuple(shape[:-1]):
        groups = scale.shape[-1]
        if groups and n % groups == 0:
            return scale.repeat_interleave(n // groups, -1)
    rows, columns = block
    if tuple(scale.shape) == (*stack, -(-m // rows), -(-n // columns)):
        tall = scale.repeat_interleave(rows, -2)[..., :m, :]
        return tall.repeat_interleave(columns, -1)[..., :n]
    raise InputError(
        f"its scales {tuple(scale.shape)} are neither one, nor those of rows, of groups, or of "
        f"blocks of {rows} × {columns}",
        remedy="dequantize it first",
    )


def _block(held: Held) -> tuple[int, int]:
    match held.method.get("weight_block_size"):
        case [int(rows), int(columns)] if rows > 0 and columns > 0:
            return rows, columns
        case _:
            return BLOCK, BLOCK


def _widened(item: Stored) -> Tensor:
    tensor = item.load()
    assert isinstance(tensor, Tensor)
    return tensor.float()
