"""quanto: 8-bit numbers ``weight._data`` times ``weight._scale``; fewer bits are reported."""

from __future__ import annotations

from collections.abc import Iterator

from spectrain.checkpoint.quantized.float8 import FP8, multiplied
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder


@decoder("quanto")
def find_quanto(held: Held) -> Iterator[Claim]:
    """``X._data`` with ``X._scale``."""
    for name, data in held.tensors.items():
        base, _, local = name.rpartition(".")
        if local != "_data":
            continue
        base = base.removesuffix("._data")
        beside = [
            other
            for end in ("_scale", "_shift", "_zeropoint")
            if (other := f"{base}.{end}") in held.tensors
        ]
        scale = held.tensors.get(f"{base}._scale")
        parts = (name, *beside)
        whole = scale is not None and len(beside) == 1 and data.dtype in {"int8", *FP8}
        if whole and scale is not None:
            tensors = {"weight": data, "scale": scale}
            note = f"{data.dtype} of quanto times its scales"
            yield Claim(decoded(base, data.shape, tensors, multiplied, note), parts)
        else:
            yield Claim(None, parts, "packed integers of quanto: dequantize it first", base)
