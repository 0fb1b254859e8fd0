"""MXFP4: 4-bit floats in blocks of 32 that share a power of two (gpt-oss, compressed-tensors, MLX).

A number is ±{0, ½, 1, 1½, 2, 3, 4, 6} · 2^(s − 127), the lower half of an octet first.

Source:
    OCP Microscaling Formats (MX) Specification v1.0, §5.3.3 (FP4 E2M1) and §5.4.1 (E8M0).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from spectrain.checkpoint.quantized.bits import nibbles
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

FP4 = torch.tensor(
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]
)
"""The sixteen numbers of FP4 E2M1, by their codes."""

BLOCK = 32
BIAS = 127


def decode_mxfp4(
    blocks: UInt8[Tensor, "*rows groups 16"], scales: UInt8[Tensor, "*rows groups"]
) -> Float[Tensor, "*rows n"]:
    """The numbers of MXFP4.

    Example:
        >>> blocks = torch.full((1, 1, 16), 0x42, dtype=torch.uint8)
        >>> decode_mxfp4(blocks, torch.tensor([[128]], dtype=torch.uint8))[0, :2]
        tensor([2., 4.])
    """
    values = FP4[nibbles(blocks, high_first=False).long()]
    return torch.ldexp(values, scales.int()[..., None] - BIAS).flatten(-2)


def _decode_packed(packed: Tensor, scales: Tensor) -> Tensor:
    octets = packed.contiguous().view(torch.uint8)
    return decode_mxfp4(octets.unflatten(-1, (-1, BLOCK // 2)), scales.view(torch.uint8))


@decoder("MXFP4")
def find_mxfp4(held: Held) -> Iterator[Claim]:
    """Pairs ``X_blocks`` and ``X_scales``; packed weights with octets of scales."""
    for name, blocks in held.tensors.items():
        base = name.removesuffix("_blocks")
        scales = held.tensors.get(f"{base}_scales")
        if base == name or scales is None or blocks.dtype != "uint8":
            continue
        *rows, groups, width = blocks.shape if len(blocks.shape) > 1 else (0, 0, 0)
        if width != BLOCK // 2 or scales.shape != (*rows, groups) or scales.dtype != "uint8":
            yield Claim(None, (name, scales.name), "blocks and scales that are none of MXFP4", base)
            continue
        parts = {"blocks": blocks, "scales": scales}
        shape = (*rows, groups * BLOCK)
        weight = decoded(base, shape, parts, decode_mxfp4, "decoded from MXFP4")
        yield Claim(weight, (name, scales.name))
    for local, beside in (("weight_packed", "weight_scale"), ("weight", "scales")):
        for path, own in held.modules(local):
            packed, scales = own[local], own.get(beside)
            if scales is None or scales.dtype not in {"uint8", "float8_e8m0fnu"}:
                continue
            octets = {"uint8": 1, "uint32": 4}.get(packed.dtype, 0)
            if len(packed.shape) < 2 or packed.shape[-1] * octets * 2 != scales.shape[-1] * BLOCK:
                continue
            shape = (*packed.shape[:-1], scales.shape[-1] * BLOCK)
            parts = {"packed": packed, "scales": scales}
            name = f"{path}.weight".lstrip(".")
            weight = decoded(name, shape, parts, _decode_packed, "decoded from MXFP4")
            yield Claim(weight, (packed.name, scales.name))
