"""NVFP4: 4-bit floats in blocks of 16 that share an fp8 scale, and one scale of the whole.

ModelOpt multiplies by ``weight_scale_2``; compressed-tensors divides by ``weight_global_scale``.

Source:
    NVIDIA, Pretraining Large Language Models with NVFP4 (2025), §2; the layouts of ModelOpt 0.31
    and compressed-tensors 0.10.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import nibbles
from spectrain.checkpoint.quantized.mxfp4 import FP4
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder

BLOCK = 16


def decode_nvfp4(
    packed: Tensor, scales: Tensor, whole: Tensor, *, divides: bool
) -> Float[Tensor, "m n"]:
    """The numbers of NVFP4: code · block scale · whole scale, or divided by the latter."""
    values = FP4[nibbles(packed, high_first=False).long()].unflatten(-1, (-1, BLOCK))
    factor = whole.double().reshape(())
    steps = scales.float().double() * (1 / factor if divides else factor)
    return (values.double() * steps[..., None]).flatten(-2).float()


@decoder("NVFP4")
def find_nvfp4(held: Held) -> Iterator[Claim]:
    """Packed weights with fp8 scales of their blocks and one scale of the whole."""
    for local in ("weight", "weight_packed"):
        for path, own in held.modules(local):
            packed, scales = own[local], own.get("weight_scale")
            ends = ("weight_scale_2", "weight_global_scale")
            whole = next((own[end] for end in ends if end in own), None)
            if packed.dtype != "uint8" or scales is None or whole is None:
                continue
            beside = [own[n].name for n in ("input_scale", "input_global_scale") if n in own]
            parts = (packed.name, scales.name, whole.name, *beside)
            shape = (*packed.shape[:-1], packed.shape[-1] * 2) if packed.shape else ()
            fits = len(shape) == 2 and scales.shape == (shape[0], shape[1] // BLOCK)
            if not fits or not scales.dtype.startswith("float8") or len(whole.shape) > 1:
                yield Claim(None, parts, "4-bit floats whose scales are none of NVFP4")
                continue
            tensors = {"packed": packed, "scales": scales, "whole": whole}
            divides = whole.name.endswith("weight_global_scale")
            weight = decoded(
                f"{path}.weight".lstrip("."),
                shape,
                tensors,
                decode_nvfp4,
                "decoded from NVFP4",
                {"divides": divides},
            )
            yield Claim(weight, parts)
