"""HQQ: integers of 1, 2, 4 or 8 bits, by groups of the flattened weight.

w = (q − zero) · scale by groups; octets hold the first share of the rows in their upper bits.

Source:
    Badri & Shaji, Half-Quadratic Quantization of Large Machine Learning Models (2023); the files of
    hqq 0.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder, small_integers

_BESIDE = frozenset(
    {
        "nbits",
        "group_size",
        "shape",
        "scale",
        "zero",
        "axis",
        "packing",
        "view_as_float",
        "unpack_view_dtype",
        "compute_dtype",
        "quant_scale",
        "quant_zero",
        "offload_meta",
        "encoded_state_dict",
        "stores_quant_config",
        "channel_wise",
        "scale2",  # of SINQ, which scales the columns too
        "optimize",
        "round_zero",
    }
)


def decode_hqq(
    packed: Tensor, scale: Tensor, zero: Tensor, *, bits: int, shape: tuple[int, ...]
) -> Float[Tensor, "*shape"]:
    """The weight out of its groups.

    Args:
        packed: octets of (rows·bits/8) × columns of the grouped weight.
        scale: one a group.
        zero: one a group.
        bits: of one number: 1, 2, 4 or 8.
        shape: of the weight.
    """
    shifts = range(8 - bits, -1, -bits)
    numbers = torch.cat([(packed >> shift) & ((1 << bits) - 1) for shift in shifts])
    rows = shape[0] * shape[1] // packed.shape[1]
    return ((numbers[:rows].float() - zero.float()) * scale.float()).reshape(shape)


@decoder("HQQ")
def find_hqq(held: Held) -> Iterator[Claim]:
    """``W_q`` with ``scale`` and ``zero``, where its number of bits is given."""
    for path, own in held.modules("W_q"):
        packed, scale, zero = own["W_q"], own.get("scale"), own.get("zero")
        beside = [own[key].name for key in _BESIDE if key in own]
        parts = (packed.name, *beside)
        name = f"{path}.weight".lstrip(".")
        bits, shape = (small_integers(own.get(key)) for key in ("nbits", "shape"))
        params = _params(held)
        bits = bits or [params.get("nbits", 0)]
        known = (
            "scale2" not in own and len(shape) == 2 and len(bits) == 1 and bits[0] in {1, 2, 4, 8}
        )
        if not known or scale is None or zero is None or packed.dtype != "uint8":
            reason = "integers of HQQ whose number of bits is not told, or not read yet"
            yield Claim(None, parts, f"{reason}: dequantize it first", name)
            continue
        rows, columns = packed.shape if len(packed.shape) == 2 else (0, 1)
        fits = rows * (8 // bits[0]) * columns == shape[0] * shape[1]
        groups = scale.shape == zero.shape and len(scale.shape) == 2
        if not fits or not groups:
            yield Claim(None, parts, "integers of HQQ in an unknown layout", name)
            continue
        weight = decoded(
            name,
            shape,
            {"packed": packed, "scale": scale, "zero": zero},
            decode_hqq,
            f"decoded from {bits[0]} bits of HQQ",
            {"bits": bits[0], "shape": tuple(shape)},
        )
        yield Claim(weight, parts)


def _params(held: Held) -> Mapping[str, Any]:
    """What the config says of the quantization of weights."""
    inner = held.method.get("quant_config")
    inner = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None
    return inner if isinstance(inner, Mapping) else held.method
