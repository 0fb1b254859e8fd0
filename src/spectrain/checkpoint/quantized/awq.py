"""AWQ: 4-bit integers along the outputs, with scales and zeros by groups of inputs.

w[i, o] = scales[g(i), o] · (q[i, o] − z[g(i), o]); the eight numbers of a word stand in the order
0, 2, 4, 6, 1, 3, 5, 7.

Source:
    Lin et al., AWQ (2024); the files of AutoAWQ 0.2 (its GEMM layout).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import unpack
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Place in the word of each of eight consecutive outputs."""


def decode_awq(weight: Tensor, zeros: Tensor, scales: Tensor) -> Float[Tensor, "outputs inputs"]:
    """The matrix, outputs × inputs.

    Args:
        weight: int32 of inputs × (outputs/8).
        zeros: int32 of groups × (outputs/8).
        scales: groups × outputs.
    """
    numbers, middle = _unpacked(weight), _unpacked(zeros)
    index = torch.arange(len(numbers)) // (len(numbers) // len(scales))
    return ((numbers.float() - middle.float()[index]) * scales.float()[index]).mT


def _unpacked(words: Tensor) -> Tensor:
    return unpack(words, 4).unflatten(-1, (-1, 8))[..., list(ORDER)].flatten(-2)


@decoder("AWQ")
def find_awq(held: Held) -> Iterator[Claim]:
    """``qweight`` with ``qzeros`` and ``scales``, packed along the outputs."""
    for path, own in held.modules("qweight"):
        packed, zeros, scales = (own.get(key) for key in ("qweight", "qzeros", "scales"))
        if packed is None or zeros is None or scales is None or packed.dtype != "int32":
            continue
        if len(packed.shape) != 2 or scales.shape[-1:] != (packed.shape[1] * 8,):
            continue
        parts = (packed.name, zeros.name, scales.name)
        groups = scales.shape[0]
        if not groups or packed.shape[0] % groups or zeros.shape != (groups, packed.shape[1]):
            yield Claim(None, parts, "4-bit integers in an unknown layout of AWQ")
            continue
        weight = decoded(
            f"{path}.weight".lstrip("."),
            (packed.shape[1] * 8, packed.shape[0]),
            {"weight": packed, "zeros": zeros, "scales": scales},
            decode_awq,
            "decoded from 4 bits of AWQ",
        )
        yield Claim(weight, parts)
