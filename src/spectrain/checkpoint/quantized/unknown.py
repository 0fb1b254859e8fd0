"""What looks like a quantized weight and no format has claimed: missing, with its parts."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from spectrain.checkpoint.quantized.registry import Claim, Held, decoder
from spectrain.checkpoint.stored import Stored
from spectrain.network.names import BUFFERS, is_bias

_PACKED = frozenset(
    {
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "float8_e8m0fnu",
    }
)
_BESIDE = frozenset(
    {
        "qzeros",
        "scales",
        "scale",
        "zeros",
        "zero",
        "biases",
        "g_idx",
        "weight_scale",
        "weight_scale_2",
        "weight_global_scale",
        "weight_zero_point",
        "weight_shape",
        "absmax",
        "quant_map",
        "codebooks",
        "_scale",
        "_shift",
        "SCB",
        "shape",
        "nbits",
        "tlut",
        "rcp",
        "SU",
        "SV",
        "Wscale",
    }
)
_UNREAD = "packed integers of a quantized matrix, which are not read yet: dequantize them first"


@decoder("unknown")
def find_unknown(held: Held) -> Iterator[Claim]:
    """Matrices of integers that no format has claimed, with the scales beside them."""
    inside: dict[str, list[Stored]] = {}
    for name, stored in held.tensors.items():
        inside.setdefault(name.rpartition(".")[0], []).append(stored)
    for path, own in inside.items():
        packed = [one for one in own if _is_packed(one)]
        if not packed:
            continue
        names = {one.name for one in packed}
        beside = [
            one.name
            for one in own
            if one.name not in names and one.name.rpartition(".")[2] in _BESIDE
        ]
        first, *more = packed
        yield Claim(None, (first.name, *beside), f"{first.dtype}: {_UNREAD}")
        for one in more:
            yield Claim(None, (one.name,), f"{one.dtype}: {_UNREAD} (of {path!r})")


def _is_packed(stored: Stored) -> bool:
    local = stored.name.rpartition(".")[2]
    if stored.dtype not in _PACKED or local in BUFFERS or is_bias(local):
        return False
    several = sum(side > 1 for side in stored.shape) > 1
    # One matrix of flags (a mask) is no weight, and a vector of integers is an index.
    return several or (local == "weight" and prod(stored.shape) > 1)
