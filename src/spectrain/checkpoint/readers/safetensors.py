"""Safetensors: eight bytes of header length, a JSON header, the data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.readers.registry import reader
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "C64": torch.complex64,
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}
MAX_HEADER = 100_000_000
_FETCH = "the file is damaged or cut short: fetch or save it again"


def _recognises(path: Path, head: bytes) -> bool:
    return path.suffix == ".safetensors" or head[8:9] == b"{"


@reader("safetensors", recognises=_recognises)
def read_safetensors(path: Path) -> Checkpoint:
    """Open a ``.safetensors`` file.

    Raises:
        InputError: the header is not that of a safetensors file, or does not fit the data.
    """
    source = SourceFile.at(path)
    header, start = _header(source)
    own = header.pop("__metadata__", None)
    metadata = {str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else {}
    try:
        with safe_open(path, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise _explained(source, header, start, error) from None
    tensors, missing = [], []
    for name, entry in header.items():
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        if dtype in DTYPES:
            offset = start + entry["data_offsets"][0]
            load = partial(source.tensor, offset, DTYPES[dtype], shape)
            tensors.append(Stored(name, shape, str(DTYPES[dtype]).removeprefix("torch."), load))
        else:
            missing.append(Skipped(name, f"stored as {dtype}, which is not read yet"))
    return Checkpoint(
        path, "safetensors", tuple(tensors), missing=tuple(missing), metadata=metadata
    )


def _header(source: SourceFile) -> tuple[dict[str, Any], int]:
    name = source.path.name
    if source.size < 8:
        raise InputError(
            f"{name!r} holds {source.size} bytes, too few for safetensors", remedy=_FETCH
        )
    length = int.from_bytes(source.read(0, 8).numpy().tobytes(), "little")
    if length > min(source.size - 8, MAX_HEADER):
        raise InputError(
            f"{name!r} promises a header of {length} bytes and holds {source.size - 8} after "
            f"the length (at most {MAX_HEADER} are allowed)",
            remedy=_FETCH,
        )
    text = source.read(8, length).numpy().tobytes()
    try:
        header = json.loads(text, object_pairs_hook=partial(_unique, name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the header of {name!r} is no JSON ({error})", remedy=_FETCH) from None
    if not isinstance(header, dict):
        raise InputError(f"the header of {name!r} is no JSON object", remedy=_FETCH)
    return header, 8 + length


def _unique(file: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise InputError(
                f"{file!r} names {key!r} twice", remedy="save it again under different names"
            )
        unique[key] = value
    return unique


def _explained(
    source: SourceFile, header: Mapping[str, Any], start: int, error: Exception
) -> InputError:
    """The library's refusal, with the tensor that caused it where we can find it."""
    name = source.path.name
    problem = f"{name!r} is not valid safetensors ({error})"
    end, before = 0, None
    ranges = []
    for key, entry in header.items():
        match entry:
            case {
                "dtype": str(),
                "shape": [*shape],
                "data_offsets": [int(first), int(last)],
            } if all(isinstance(side, int) and side >= 0 for side in shape):
                ranges.append((first, last, key))
            case _:
                return InputError(
                    f"{name!r} does not tell dtype, shape and range of {key!r}", remedy=_FETCH
                )
    for first, last, key in sorted(ranges):
        entry = header[key]
        expected = prod(entry["shape"]) * DTYPES.get(entry["dtype"], torch.uint8).itemsize
        if entry["dtype"] in DTYPES and last - first != expected:
            problem = (
                f"{key!r} in {name!r} takes {last - first} bytes where its shape "
                f"{tuple(entry['shape'])} of {entry['dtype']} needs {expected}"
            )
            break
        if first < end:
            problem = f"{key!r} overlaps {before!r} in {name!r}"
            break
        if start + last > source.size:
            problem = f"{key!r} ends at byte {start + last}, behind the end of {name!r}"
            break
        end, before = last, key
    return InputError(problem, remedy=_FETCH)
