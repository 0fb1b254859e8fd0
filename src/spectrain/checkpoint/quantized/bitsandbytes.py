"""bitsandbytes: 4-bit codes of a table by blocks (nf4, fp4), and 8-bit integers by rows.

4 bits: a number is ``quant_map[code] · absmax`` of its block, the upper half of an octet first;
``absmax`` may be quantized itself, by ``nested_quant_map`` and ``nested_absmax``, beside an offset.
8 bits: ``weight · SCB/127``.

Source:
    Dettmers et al., QLoRA (2023), §3; LLM.int8() (2022), §2; the files of bitsandbytes 0.45.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.bits import nibbles
from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder
from spectrain.checkpoint.stored import Stored
from spectrain.core import InputError

_STATE = "quant_state.bitsandbytes__"
_MAX_STATE = 10_000


@decoder("bitsandbytes")
def find_bitsandbytes(held: Held) -> Iterator[Claim]:
    """Weights with a ``quant_state`` beside them, and int8 weights with ``SCB``."""
    for name, stored in held.tensors.items():
        states = [
            f"{name}.{_STATE}{kind}"
            for kind in ("nf4", "fp4")
            if f"{name}.{_STATE}{kind}" in held.tensors
        ]
        if states:
            yield _four_bits(held, stored, states[0])
        elif name.endswith("weight") and stored.dtype == "int8":
            scale = held.tensors.get(f"{name.removesuffix('weight')}SCB")
            if scale is not None:
                form = held.tensors.get(f"{name}_format")
                if form is None and not held.method.get("load_in_8bit"):
                    why = "int8 of bitsandbytes, and neither weight_format nor config.json tells"
                    yield Claim(None, (name, scale.name), f"{why} its layout")
                    continue
                tensors = {"weight": stored, "scale": scale}
                tensors |= {} if form is None else {"form": form}
                note = "int8 of bitsandbytes times its scales"
                weight = decoded(name, stored.shape, tensors, decode_int8, note)
                yield Claim(weight, tuple(part.name for part in tensors.values()))


def decode_int8(weight: Tensor, scale: Tensor, form: Tensor | None = None) -> Float[Tensor, "m n"]:
    """``weight · SCB/127``, by rows.

    Args:
        weight: int8.
        scale: SCB, one a row.
        form: the layout; 0 is by rows.

    Raises:
        InputError: it is another layout, one of a GPU.
    """
    if form is not None and int(form.sum()):
        raise InputError("int8 in a layout of a GPU", remedy="save it again with bitsandbytes 0.45")
    return weight.float() * (scale.float() / 127).reshape(-1, 1)


def decode_4bit(
    packed: Tensor,
    absmax: Tensor,
    codes: Tensor,
    nested: Tensor | None = None,
    nested_codes: Tensor | None = None,
    *,
    block: int,
    nested_block: int = 0,
    offset: float = 0.0,
    shape: tuple[int, ...],
) -> Float[Tensor, "*shape"]:
    """``codes[code] · absmax`` by blocks of the flattened weight."""
    count = math.prod(shape)
    values = codes.float()[nibbles(packed.flatten(), high_first=True)[:count].long()]
    peaks = absmax.float()
    if nested is not None and nested_codes is not None:
        outer = nested.float().repeat_interleave(nested_block)[: absmax.numel()]
        peaks = nested_codes.float()[absmax.long()] * outer + offset
    return (values * peaks.repeat_interleave(block)[:count]).reshape(shape)


def _four_bits(held: Held, packed: Stored, state_name: str) -> Claim:
    beside = {
        key: held.tensors[name]
        for key, local in {
            "absmax": "absmax",
            "codes": "quant_map",
            "nested": "nested_absmax",
            "nested_codes": "nested_quant_map",
        }.items()
        if (name := f"{packed.name}.{local}") in held.tensors
    }
    parts = (packed.name, state_name, *(stored.name for stored in beside.values()))
    try:
        state = _state(held.tensors[state_name])
        shape = tuple(int(side) for side in state["shape"])
        how: dict[str, Any] = {"block": int(state["blocksize"]), "shape": shape}
        if "nested" in beside:
            how["nested_block"] = int(state["nested_blocksize"])
            how["offset"] = float(state["nested_offset"])
        if min(shape, default=0) < 1 or math.prod(shape) > 2 * math.prod(packed.shape):
            raise ValueError(f"shape {shape} does not fit")
        if "absmax" not in beside or "codes" not in beside:
            raise ValueError("absmax or quant_map are not there")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        return Claim(None, parts, f"4 bits of bitsandbytes whose state cannot be read ({error})")
    note = f"decoded from {state.get('quant_type', '4 bits')} of bitsandbytes"
    return Claim(
        decoded(packed.name, shape, {"packed": packed, **beside}, decode_4bit, note, how), parts
    )


def _state(stored: Stored) -> Mapping[str, Any]:
    if math.prod(stored.shape) > _MAX_STATE or stored.dtype != "uint8":
        raise ValueError("it is too long")
    try:
        octets = stored.load()
    except InputError as error:
        raise ValueError(str(error)) from None
    assert isinstance(octets, Tensor)
    state = json.loads(octets.to(torch.uint8).numpy().tobytes())
    if not isinstance(state, Mapping):
        raise ValueError("it is no mapping")
    return state
