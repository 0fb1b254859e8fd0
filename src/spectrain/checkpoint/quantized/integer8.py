"""8-bit integers with a ``weight_scale``, by tensor or by rows (compressed-tensors, vLLM)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from spectrain.checkpoint.quantized.float8 import multiplied
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

SCALES = ("weight_scale", "scales")


def _decode(weight: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    if zero is None:
        return multiplied(weight, scale)
    shifted = weight.float() - zero.float().reshape(-1, *(1,) * (weight.ndim - 1))
    return multiplied(shifted, scale)


@decoder("int8")
def find_integer8(held: Held) -> Iterator[Claim]:
    """``weight`` of int8 with its scale, and a zero point where there is one."""
    for path, own in held.modules("weight"):
        stored = own["weight"]
        scale = next((own[end] for end in SCALES if end in own), None)
        if stored.dtype != "int8" or scale is None or "float" not in scale.dtype:
            continue
        tensors = {"weight": stored, "scale": scale}
        if "weight_zero_point" in own:
            tensors["zero"] = own["weight_zero_point"]
        beside = [own[n].name for n in ("input_scale", "input_zero_point") if n in own]
        parts = (*(one.name for one in tensors.values()), *beside)
        if scale.shape not in {(), (1,), stored.shape[:1], (*stored.shape[:1], 1)}:
            yield Claim(None, parts, f"int8 with scales {scale.shape} in an unknown layout")
        else:
            note = "int8 times its scales"
            name = f"{path}.weight".lstrip(".")
            yield Claim(decoded(name, stored.shape, tensors, _decode, note), parts)
