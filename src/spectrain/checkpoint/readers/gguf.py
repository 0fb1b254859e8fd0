"""GGUF files: quantized models of llama.cpp. The ``gguf`` package turns blocks into numbers.

The header is walked here: the package's reader goes on for as long as a damaged length says.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spectrain.checkpoint.files import SourceFile, open_ordinary
from spectrain.checkpoint.readers.registry import reader
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

MAGIC = b"GGUF"
MAX_HEADER = 100_000_000

_FETCH = "the file is damaged or cut short: fetch it again"
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_PLAIN = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}
_MAX_NESTING = 4
_MAX_DIMS = 8


@dataclass(frozen=True, slots=True)
class _Info:
    """One tensor as the header describes it; ``sides`` run from the fastest to the slowest."""

    name: str
    sides: tuple[int, ...]
    kind: int
    offset: int


def _recognises(path: Path, head: bytes) -> bool:
    return path.suffix == ".gguf" or head[:4] == MAGIC


@reader("gguf", recognises=_recognises)
def read_gguf(path: Path) -> Checkpoint:
    """Open a GGUF file.

    Raises:
        InputError: the package ``gguf`` is not installed, or the header is damaged.
    """
    gguf = _package()
    source = SourceFile.at(path)
    with BufferedReader(open_ordinary(path)) as file:
        cursor = _Cursor(file, source)
        infos, start = _header(cursor)
    tensors: list[Stored] = []
    missing: list[Skipped] = []
    for info in infos:
        try:
            tensors.append(_stored(gguf, source, info, start))
        except InputError as error:
            missing.append(Skipped(info.name, str(error)))
    return Checkpoint(path, "gguf", tuple(tensors), missing=tuple(missing))


@dataclass(slots=True)
class _Cursor:
    """Reads a header forwards, never beyond the end of the file."""

    file: Any
    source: SourceFile
    position: int = 0

    def take(self, count: int) -> bytes:
        self.skip(count)
        data = self.file.read(count)
        if len(data) < count:
            raise InputError(f"{self.source.path.name!r} changed while read", remedy=_FETCH)
        return data

    def skip(self, count: int) -> None:
        """Account for ``count`` bytes; :meth:`pass_over` moves past them without reading."""
        self.position += count
        if self.position > min(self.source.size, MAX_HEADER):
            raise InputError(
                f"the header of {self.source.path.name!r} runs to byte {self.position} or beyond, "
                f"in a file of {self.source.size} (headers may have {MAX_HEADER})",
                remedy=_FETCH,
            )

    def pass_over(self, count: int) -> None:
        self.skip(count)
        self.file.seek(count, 1)

    def number(self, code: str) -> int:
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]
        return value

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "backslashreplace")


def _header(cursor: _Cursor) -> tuple[list[_Info], int]:
    name = cursor.source.path.name
    if cursor.take(4) != MAGIC:
        raise InputError(f"{name!r} is no GGUF file", remedy="check the path")
    if (version := cursor.number("I")) not in {2, 3}:
        raise InputError(
            f"{name!r} has version {version} of GGUF, or another byte order",
            remedy="convert it with a current llama.cpp",
        )
    count, pairs = cursor.number("Q"), cursor.number("Q")
    alignment = 32
    for _ in range(pairs):
        key, kind = cursor.text(), cursor.number("I")
        if key == "general.alignment" and kind == _UINT32:
            alignment = cursor.number("I")
        else:
            _pass_value(cursor, kind, 0)
    if alignment <= 0 or alignment & (alignment - 1):
        raise InputError(f"{name!r} aligns its tensors to {alignment}", remedy=_FETCH)
    infos = list(_infos(cursor, count))
    if len({info.name for info in infos}) < len(infos):
        raise InputError(f"{name!r} names a tensor twice", remedy=_FETCH)
    return infos, -(-cursor.position // alignment) * alignment


def _infos(cursor: _Cursor, count: int) -> Iterator[_Info]:
    for _ in range(count):
        name, dims = cursor.text(), cursor.number("I")
        if dims > _MAX_DIMS:
            raise InputError(f"{name!r} has {dims} dimensions", remedy=_FETCH)
        sides = tuple(cursor.number("Q") for _ in range(dims))
        yield _Info(name, sides, cursor.number("I"), cursor.number("Q"))


def _pass_value(cursor: _Cursor, kind: int, nesting: int) -> None:
    if kind in _WIDTHS:
        cursor.pass_over(_WIDTHS[kind])
    elif kind == _STRING:
        cursor.pass_over(cursor.number("Q"))
    elif kind == _ARRAY and nesting < _MAX_NESTING:
        inner, length = cursor.number("I"), cursor.number("Q")
        if inner in _WIDTHS:
            cursor.pass_over(_WIDTHS[inner] * length)
        else:
            for _ in range(length):
                _pass_value(cursor, inner, nesting + 1)
    else:
        raise InputError(
            f"{cursor.source.path.name!r} holds a value of unknown type {kind}", remedy=_FETCH
        )


def _stored(gguf: ModuleType, source: SourceFile, info: _Info, start: int) -> Stored:
    try:
        kind = gguf.GGMLQuantizationType(info.kind)
    except ValueError:
        raise InputError(
            f"stored as type {info.kind}, which this gguf package does not know",
            remedy="update gguf",
        ) from None
    elements, width = gguf.GGML_QUANT_SIZES[kind]
    shape, fastest = tuple(reversed(info.sides)), info.sides[0] if info.sides else 1
    if fastest % elements:
        raise InputError(f"its rows of {fastest} are no whole blocks of {kind.name}", remedy=_FETCH)
    length = prod(shape) // elements * width
    offset = start + info.offset
    if offset + length > source.size:
        raise InputError(f"it ends at byte {offset + length}, behind the end", remedy=_FETCH)
    if dtype := _PLAIN.get(kind.name):
        load: Callable[[], Any] = partial(source.tensor, offset, dtype, shape)
        return Stored(info.name, shape, str(dtype).removeprefix("torch."), load)
    load = partial(_dequantized, gguf, source, offset, length, kind, shape)
    return Stored(info.name, shape, kind.name, load, f"dequantized from {kind.name}")


def _dequantized(
    gguf: ModuleType,
    source: SourceFile,
    offset: int,
    length: int,
    kind: Any,
    shape: tuple[int, ...],
) -> Tensor:
    blocks = source.read(offset, length).numpy().reshape(-1, gguf.GGML_QUANT_SIZES[kind][1])
    try:
        with np.errstate(all="ignore"):  # damaged scales overflow
            dense = gguf.quants.dequantize(blocks, kind)
    except NotImplementedError:
        raise InputError(
            f"the gguf package cannot dequantize {kind.name}", remedy="update gguf"
        ) from None
    return torch.from_numpy(dense).reshape(shape)


def _package() -> ModuleType:
    try:
        import gguf
        import gguf.quants
    except ImportError:
        raise InputError(
            "reading GGUF needs the package gguf", remedy="pip install 'spectrain[gguf]'"
        ) from None
    return gguf
