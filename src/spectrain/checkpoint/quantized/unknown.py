"""What looks like a quantized weight and no format has claimed: missing, with its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import prod

from spectrain.checkpoint.quantized.registry import Claim, Held, decoder
from spectrain.checkpoint.stored import Stored
from spectrain.network.names import BUFFERS, is_bias

_PACKED = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "float8_e8m0fnu"})
_INTEGERS = _PACKED | {"int64", "uint64"}
_CODES = re.compile(r"weight|codes|indices|qdata|packed|trellis|qidxs", re.I | re.ASCII)
"""Integers under such names are codes, of whatever type and shape they are."""
_OTHER = re.compile(r"weight_shape|(?:class|loss|sample)_?weights?", re.I | re.ASCII)
_BESIDE = re.compile(
    r"scale|zero|shift|absmax|quant|code_?book|centroid|lut|table|rcp|perm|group|hadamard"
    r"|^(?:biases|g_idx|weight_shape|shape|nbits|meta|SCB|SU|SV|suh|svh|s|z|mcg|mul1)$",
    re.ASCII,
)
"""Names of what belongs to a quantized matrix beside its codes."""
_UNREAD = "packed integers of a quantized matrix, which are not read yet: dequantize them first"


@decoder("unknown")
def find_unknown(held: Held) -> Iterator[Claim]:
    """Matrices of integers that no format has claimed, with the scales and tables beside them."""
    inside: dict[str, list[Stored]] = {}
    for name, stored in held.tensors.items():
        inside.setdefault(name.rpartition(".")[0], []).append(stored)
    for path, own in inside.items():
        beside = _beside(path, own, inside)
        packed = [one for one in own if _is_packed(one, scaled=bool(beside))]
        if not packed:
            continue
        first = next((one for one in packed if one not in beside), packed[0])
        more = [one for one in packed if one is not first and one not in beside]
        parts = tuple(one.name for one in (first, *beside) if one is not first)
        yield Claim(None, (first.name, *parts), f"{first.dtype}: {_UNREAD}")
        for one in more:
            yield Claim(None, (one.name,), f"{one.dtype}: {_UNREAD} (of {path!r})")


def _beside(path: str, own: list[Stored], inside: Mapping[str, list[Stored]]) -> list[Stored]:
    """What belongs to the codes of a module: in it, or in a part of it such as ``centroids``."""
    beside = [one for one in own if _BESIDE.search(_local(one))]
    if path:
        for other, tensors in inside.items():
            head, _, last = other.rpartition(".")
            if head == path and _BESIDE.search(last):
                beside += tensors
    return beside


def _local(stored: Stored) -> str:
    return stored.name.rpartition(".")[2]


def _is_packed(stored: Stored, *, scaled: bool) -> bool:
    local = _local(stored)
    if stored.dtype not in _INTEGERS or local in BUFFERS or is_bias(local):
        return False
    named = _CODES.search(local) and (scaled or "weight" in local)
    if named and prod(stored.shape) > 1 and not _OTHER.fullmatch(local):
        return True
    # One matrix of flags (a mask) is not a weight, and a vector of integers is an index.
    return stored.dtype in _PACKED and sum(side > 1 for side in stored.shape) > 1
