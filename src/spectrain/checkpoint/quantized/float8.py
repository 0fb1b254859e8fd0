"""fp8 weights with their scales: one number, one a row or column, or one a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder
from spectrain.checkpoint.stored import Stored
from spectrain.core import InputError

FP8 = frozenset({"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"})

SCALES = ("weight_scale_inv", "weight_scale", "scale_weight", "weight_scales", "weight.scale")
"""Names of the scale of ``weight`` beside it; all are factors, whatever they are called."""

OF_INPUTS = ("input_scale", "scale_input", "activation_scale", "act_scale", "k_scale", "v_scale")
"""Names of scales that belong to activations."""

BLOCK = 128
"""Side of the square blocks that share a scale, where the config tells no other."""

UNSCALED = "fp8 without a known scale: if it has one, the norms lack it as a factor"


@decoder("fp8")
def find_float8(held: Held) -> Iterator[Claim]:
    """fp8 tensors with their scales; those without get a note."""
    block = _block(held)
    for name, stored in held.tensors.items():
        if stored.dtype not in FP8:
            continue
        path, _, local = name.rpartition(".")
        before = f"{path}." if path else ""
        ends = [end.replace("weight", local, 1) for end in SCALES] + [f"{local}_scale_inv"]
        scale = next((n for end in ends if (n := before + end) in held.tensors), None)
        beside = [n for end in OF_INPUTS if (n := before + end) in held.tensors]
        if scale is None:
            whole = replace(stored, load=partial(_widened, stored))
            matrix = len(stored.shape) > 1
            yield Claim(replace(whole, note=UNSCALED if matrix else None), (name, *beside))
        else:
            tensors = {"weight": stored, "scale": held.tensors[scale]}
            note = f"{stored.dtype} times its scales"
            weight = decoded(name, stored.shape, tensors, multiplied, note, {"block": block})
            yield Claim(weight, (name, scale, *beside))


def multiplied(
    weight: Tensor, scale: Tensor, *, block: tuple[int, int] = (BLOCK, BLOCK)
) -> Float[Tensor, ...]:
    """A weight times its scales, in float32."""
    return weight.float().mul_(expand_scale(scale.float(), tuple(weight.shape), block))


def expand_scale(
    scale: Tensor, shape: tuple[int, ...], block: tuple[int, int] = (BLOCK, BLOCK)
) -> Tensor:
    """A scale as something that multiplies a weight: one number, one a row or column, one a block.

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
    rows, columns = block
    if tuple(scale.shape) == (*stack, -(-m // rows), -(-n // columns)):
        tall = scale.repeat_interleave(rows, -2)[..., :m, :]
        return tall.repeat_interleave(columns, -1)[..., :n]
    raise InputError(
        f"its scales {tuple(scale.shape)} are neither one, nor a row's, nor those of blocks of "
        f"{rows} × {columns}",
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
