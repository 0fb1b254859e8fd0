"""GPTQ: integers of 2, 3, 4 or 8 bits along the inputs, with scales and zeros by groups of inputs.

w[i, o] = scales[g(i), o] · (q[i, o] − z[g(i), o]). The older format stores z − 1.

Source:
    Frantar et al., GPTQ (2023); the files of AutoGPTQ 0.7 and GPTQModel 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import unpack
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

BITS = (2, 3, 4, 8)
PARTS = ("qzeros", "scales", "g_idx")


def decode_gptq(
    weight: Tensor,
    zeros: Tensor,
    scales: Tensor,
    groups: Tensor | None = None,
    *,
    bits: int,
    offset: int,
) -> Float[Tensor, "outputs inputs"]:
    """The matrix, outputs × inputs.

    Args:
        weight: int32 of (inputs·bits/32) × outputs.
        zeros: int32 of groups × (outputs·bits/32).
        scales: groups × outputs.
        groups: the group of each input; equal consecutive groups if not given.
        bits: of one number.
        offset: what the format leaves off the zeros: 1 in the older one.
    """
    numbers = unpack(weight.mT.contiguous(), bits).mT
    inputs, outputs = numbers.shape
    middle = unpack(zeros, bits)[:, :outputs].float() + offset
    if groups is None:
        groups = torch.arange(inputs) // -(-inputs // len(scales))
    index = groups.long() % max(len(scales), 1)
    return ((numbers.float() - middle[index]) * scales.float()[index]).mT


@decoder("GPTQ")
def find_gptq(held: Held) -> Iterator[Claim]:
    """``qweight`` with ``qzeros`` and ``scales``, packed along the inputs."""
    for path, own in held.modules("qweight"):
        packed, zeros, scales = (own.get(key) for key in ("qweight", "qzeros", "scales"))
        if packed is None or zeros is None or scales is None or packed.dtype != "int32":
            continue
        if len(packed.shape) != 2 or scales.shape[-1:] != packed.shape[1:]:
            continue
        groups = own.get("g_idx")
        rows, outputs = packed.shape
        bits = held.number("bits", "w_bit") or 0
        if groups is not None and groups.shape[0]:
            bits = 32 * rows // groups.shape[0]
        elif not bits:
            bits = 32 * zeros.shape[1] // outputs if len(zeros.shape) == 2 else 0
        parts = tuple(one.name for one in (packed, zeros, scales, groups) if one is not None)
        if groups is None and not held.method:
            why = "packed integers of GPTQ, and neither g_idx nor config.json tells the format"
            yield Claim(None, parts, why)
            continue
        if bits not in BITS or rows * 32 % bits or len(scales.shape) != 2:
            yield Claim(None, parts, f"integers of {bits} bits in an unknown layout")
            continue
        newer = held.method.get("checkpoint_format") == "gptq_v2"
        tensors = {"weight": packed, "zeros": zeros, "scales": scales}
        if groups is not None:
            tensors["groups"] = groups
        weight = decoded(
            f"{path}.weight".lstrip("."),
            (outputs, rows * 32 // bits),
            tensors,
            decode_gptq,
            f"decoded from {bits} bits of GPTQ",
            {"bits": bits, "offset": 0 if newer else 1},
        )
        yield Claim(weight, parts)
