"""MLX: integers of 2 to 8 bits along the inputs, with a scale and a bias by groups.

w = scale · q + bias, the lowest bits of a word first.

Source:
    MLX 0.20, ``mlx.core.quantize``.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import unpack
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

BITS = (2, 3, 4, 5, 6, 8)


def decode_mlx(
    weight: Tensor, scales: Tensor, biases: Tensor, *, bits: int
) -> Float[Tensor, "*rows n"]:
    """The matrix out of its groups."""
    numbers = unpack(weight, bits).float()
    groups = numbers.unflatten(-1, (scales.shape[-1], -1))
    return (groups * scales.float()[..., None] + biases.float()[..., None]).flatten(-2)


@decoder("MLX")
def find_mlx(held: Held) -> Iterator[Claim]:
    """``weight`` of uint32 with ``scales`` and ``biases``."""
    for path, own in held.modules("weight"):
        packed, scales, biases = (own.get(key) for key in ("weight", "scales", "biases"))
        if packed is None or packed.dtype != "uint32" or scales is None or biases is None:
            continue
        parts = (packed.name, scales.name, biases.name)
        bits, group = _bits_and_group(held, path)
        rows, words = packed.shape[:-1], packed.shape[-1] if packed.shape else 0
        if bits not in BITS or not group:
            reason = "packed integers of MLX, and no config.json tells bits and group size"
            yield Claim(None, parts, reason)
            continue
        columns = words * 32 // bits
        fits = scales.shape == biases.shape == (*rows, columns // group)
        if not fits or columns % group or len(rows) not in {1, 2}:
            yield Claim(None, parts, "packed integers of MLX in an unknown layout")
            continue
        tensors = {"weight": packed, "scales": scales, "biases": biases}
        note = f"decoded from {bits} bits of MLX"
        shape, how = (*rows, columns), {"bits": bits}
        yield Claim(decoded(packed.name, shape, tensors, decode_mlx, note, how), parts)


def _bits_and_group(held: Held, path: str) -> tuple[int, int]:
    """Bits and group size: of the module, where the config distinguishes modules."""
    own = held.method.get(path)
    settings = own if isinstance(own, dict) else held.method
    bits, group = settings.get("bits"), settings.get("group_size")
    return (bits if isinstance(bits, int) else 0, group if isinstance(group, int) else 0)
