"""Integers of 4 or 8 bits in words along the inputs, with scales by groups (compressed-tensors).

w[o, i] = scale[o, g(i)] · (q[o, i] − z[o, g(i)]), where q is stored without sign and z = 2^(bits−1)
unless it is stored too, packed along the outputs.

Source:
    compressed-tensors 0.10, its format ``pack-quantized``.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import unpack
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder, small_integers
from spectrain.checkpoint.stored import Stored

BITS = (4, 8)


def decode_packed(
    packed: Tensor,
    scale: Tensor,
    zero: Tensor | None = None,
    groups: Tensor | None = None,
    *,
    bits: int,
    columns: int,
) -> Float[Tensor, "outputs inputs"]:
    """The matrix, outputs × inputs.

    Args:
        packed: int32 of outputs × (inputs·bits/32).
        scale: outputs × groups.
        zero: int32 of (outputs·bits/32) × groups.
        groups: the group of each input; equal consecutive groups if not given.
        bits: of one number.
        columns: inputs; what lies behind them in the last word is padding.
    """
    numbers = unpack(packed, bits)[:, :columns].float()
    middle = torch.full_like(scale, 2 ** (bits - 1), dtype=torch.float32)
    if zero is not None:
        middle = unpack(zero.mT.contiguous(), bits).mT[: len(scale)].float()
    if groups is None:
        groups = torch.arange(columns) // -(-columns // scale.shape[1])
    index = groups.long() % max(scale.shape[1], 1)
    return (numbers - middle[:, index]) * scale.float()[:, index]


@decoder("pack-quantized")
def find_packed(held: Held) -> Iterator[Claim]:
    """``weight_packed`` of int32 with ``weight_scale`` and ``weight_shape``."""
    for path, own in held.modules("weight_packed"):
        packed, scale, shape = (own.get(f"weight_{end}") for end in ("packed", "scale", "shape"))
        if packed is None or scale is None or packed.dtype != "int32" or len(packed.shape) != 2:
            continue
        tensors = {"packed": packed, "scale": scale}
        for key, local in (("zero", "weight_zero_point"), ("groups", "weight_g_idx")):
            if local in own:
                tensors[key] = own[local]
        beside = [shape.name] if shape is not None else []
        beside += [own[n].name for n in ("input_scale", "input_zero_point") if n in own]
        parts = (*(one.name for one in tensors.values()), *beside)
        name, (rows, words) = f"{path}.weight".lstrip("."), packed.shape
        sides = small_integers(shape)
        bits = 32 * words // sides[1] if len(sides) == 2 and sides[1] else 0
        fits = sides[:1] == [rows] and bits in BITS and words == -(-sides[1] * bits // 32)
        if not fits or not _scales_fit(scale, rows, sides[1]):
            why = "packed integers whose shape or scales do not tell their layout"
            yield Claim(None, parts, f"{why}: dequantize it first", name)
            continue
        how = {"bits": bits, "columns": sides[1]}
        note = f"decoded from {bits} bits of compressed-tensors"
        yield Claim(decoded(name, tuple(sides), tensors, decode_packed, note, how), parts)


def _scales_fit(scale: Stored, rows: int, columns: int) -> bool:
    return len(scale.shape) == 2 and scale.shape[0] == rows and 0 < scale.shape[1] <= columns
