"""Files of ``torch.save``: zip archives, what came before them, and plain pickles of arrays.

The pickle inside is read as data (:mod:`~spectrain.checkpoint.readers.inert`). It says where the
numbers of each tensor lie, and these are read when they are asked for.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrain.checkpoint.files import SourceFile, open_ordinary
from spectrain.checkpoint.readers.inert import (
    SAVE_PLAIN,
    ArrayRecord,
    InertUnpickler,
    Name,
    Storage,
    TensorRecord,
)
from spectrain.checkpoint.readers.nested import Contents, Record, contents_of, whole_number
from spectrain.checkpoint.readers.registry import reader
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

FETCH = "the file is damaged or cut short: fetch or save it again"

_LOCAL_HEADER = 30  # bytes before name and extra field of a record in a zip archive
_LEGACY = 0x1950A86A20F9469CFC6C
_PICKLE = b"\x80"
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}


@dataclass(frozen=True, slots=True)
class _Range:
    """Where the elements of a strided tensor lie in a file."""

    source: SourceFile
    offset: int
    span: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def load(self) -> Tensor:
        flat = self.source.tensor(self.offset, self.dtype, (self.span,))
        return flat.as_strided(self.shape, self.stride)


Places = Mapping[str, tuple[int, int]]
"""Where the numbers of a storage begin in the file, and how many bytes it has, by its key."""


def _recognises(path: Path, head: bytes) -> bool:
    return head[:2] == b"PK" or head[:1] == _PICKLE


@reader("torch", recognises=_recognises)
def read_torch(path: Path) -> Checkpoint:
    """Open a file of ``torch.save`` (``.pt``, ``.pth``, ``.bin``, ``.ckpt``).

    Raises:
        InputError: it is damaged, would have to run code, or holds no tensors.
    """
    source = SourceFile.at(path)
    saved, places, kind = _saved(source, 0, source.size)
    contents = contents_of(saved)
    if not contents.tensors:
        beside = f" but what lies {contents.beside[0].reason}" if contents.beside else ""
        raise InputError(f"{path.name!r} holds no tensors{beside}", remedy=SAVE_PLAIN)
    return _checkpoint(path, kind, contents, source, places)


def read_saved(path: Path) -> Any:
    """What a file of ``torch.save`` holds beside its tensors, as data.

    Raises:
        InputError: it is damaged, or would have to run code.
    """
    source = SourceFile.at(path)
    return _saved(source, 0, source.size)[0]


def load_tensors(path: Path) -> tuple[Any, Mapping[int, Stored]]:
    """What a file of ``torch.save`` holds, and how each of its tensors is read, by identity.

    Raises:
        InputError: it is damaged, or would have to run code.
    """
    source = SourceFile.at(path)
    saved, places, _ = _saved(source, 0, source.size)
    stored_by_id: dict[int, Stored] = {}
    waiting, seen = [saved], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, TensorRecord):
            try:
                stored_by_id[id(value)] = _stored("", value, source, places)
            except InputError:
                continue
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return saved, stored_by_id


def part_of(flat: Stored, start: int, count: int) -> Tensor:
    """Some elements of a flat tensor of :func:`load_tensors`, without reading the others."""
    held = flat.load.__self__ if hasattr(flat.load, "__self__") else None
    if isinstance(held, _Range) and held.stride == (1,):
        offset = held.offset + start * held.dtype.itemsize
        return held.source.tensor(offset, held.dtype, (count,))
    whole = flat.load()
    assert isinstance(whole, Tensor)
    return whole[start : start + count]


def load_item(source: SourceFile, offset: int, length: int) -> Any:
    """What ``torch.save`` wrote into a range of a file: a tensor, a number, a container of them.

    Raises:
        InputError: it is damaged, or asks to run code.
    """
    saved, places, _ = _saved(source, offset, length)
    return _stored("", saved, source, places).load() if isinstance(saved, TensorRecord) else saved


def _saved(source: SourceFile, offset: int, length: int) -> tuple[Any, Places, str]:
    """The object in a range of a file, where its storages lie, and the form of the file."""
    head = source.read(offset, min(length, 2)).numpy().tobytes()
    if head == b"PK":
        return *_from_zip(source, offset, length), "torch"
    return _from_pickles(source, offset, length)


def _from_zip(source: SourceFile, offset: int, length: int) -> tuple[Any, Places]:
    name, places, pickles = source.path.name, {}, []
    order = "little"
    with open_ordinary(source.path) as file:
        window = _Window(file, offset, length)
        try:
            with zipfile.ZipFile(window) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise InputError(f"{name!r} is no whole zip archive ({error})", remedy=FETCH) from None
    if any("/code/" in entry.filename for entry in entries):
        raise InputError(f"{name!r} is a TorchScript program: refused", remedy=SAVE_PLAIN)
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise InputError(
                f"{name!r} is a compressed archive, not one of torch.save", remedy=SAVE_PLAIN
            )
        header = offset + entry.header_offset
        lengths = source.read(header + _LOCAL_HEADER - 4, 4).view(torch.uint16)
        start = header + _LOCAL_HEADER + int(lengths[0]) + int(lengths[1])
        inner = entry.filename.partition("/")[2]
        if inner.startswith("data/"):
            places[inner.removeprefix("data/")] = (start, entry.file_size)
        elif inner == "data.pkl":
            pickles.append((start, entry.file_size))
        elif inner == "byteorder":
            order = source.read(start, min(entry.file_size, 8)).numpy().tobytes().decode("latin1")
    if not pickles:
        raise InputError(f"{name!r} is a zip archive and none of torch.save", remedy=FETCH)
    if order == "big":
        raise InputError(f"{name!r} has its numbers in big-endian order", remedy=SAVE_PLAIN)
    data = source.read(*pickles[0]).numpy().tobytes()
    return _unpickled(io.BytesIO(data), name, _storage), places


def _from_pickles(source: SourceFile, offset: int, length: int) -> tuple[Any, Places, str]:
    """A file from before torch 1.6 (five pickles, then the storages), or a single pickle."""
    name = source.path.name
    with open_ordinary(source.path) as raw, io.BufferedReader(_Window(raw, offset, length)) as file:
        first = _unpickled(file, name, _storage)
        if first != _LEGACY:
            return first, {}, "pickle"
        _unpickled(file, name, None)
        _unpickled(file, name, None)
        storages: dict[str, Storage] = {}

        def remember(pid: Any) -> Storage:
            storage = _storage(pid)
            storages.setdefault(storage.key, replace(storage, start=0))
            return storage

        saved = _unpickled(file, name, remember)
        keys = _unpickled(file, name, None)
        at = offset + file.tell()
    if not isinstance(keys, list):
        raise InputError(f"{name!r} does not list its storages", remedy=FETCH)
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        if not isinstance(key, str) or key not in storages or at + 8 > offset + length:
            raise InputError(f"{name!r} lists a storage that no tensor uses", remedy=FETCH)
        count = int(source.read(at, 8).view(torch.int64)[0])
        size = count * storages[key].dtype.itemsize
        if count < 0 or at + 8 + size > offset + length:
            raise InputError(f"{name!r} is cut short", remedy=FETCH)
        places[key] = (at + 8, size)
        at += 8 + size
    return saved, places, "torch, legacy"


def _unpickled(file: io.BufferedIOBase, name: str, persistent: Any) -> Any:
    try:
        return InertUnpickler(file, repr(name), persistent).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
        raise InputError(f"{name!r} does not load ({reason})", remedy=FETCH) from None


def _storage(pid: Any) -> Storage:
    match pid:
        case ("storage", kind, str() as key, _, int() as count, *view):
            start = 0
            if view and isinstance(view[0], tuple) and len(view[0]) == 3:
                key, start = str(key), int(view[0][1])
            dtype = kind if isinstance(kind, torch.dtype) else None
            if type(kind) is Name:
                dtype = _DTYPES.get(kind.name)
            if dtype is None:
                raise pickle.UnpicklingError(f"storages of type {kind} are not known")
            return Storage(key, dtype, count, start)
        case _:
            raise pickle.UnpicklingError("a storage is described in an unknown way")


def _checkpoint(
    path: Path, kind: str, contents: Contents, source: SourceFile, places: Places
) -> Checkpoint:
    skipped, tensors, missing = list(contents.beside), [], []
    first: dict[object, str] = {}
    for name, record in contents.tensors.items():
        place = _place(record)
        if place in first:
            skipped.append(Skipped(name, f"the same tensor as {first[place]!r}"))
            continue
        if place is not None:
            first[place] = name
        try:
            tensors.append(_stored(name, record, source, places))
        except InputError as error:
            missing.append(Skipped(name, str(error)))
    step = contents.step
    if isinstance(step, TensorRecord):
        try:
            value = _stored("step", step, source, places).load()
            step = whole_number(value.sum().item()) if isinstance(value, Tensor) else None
        except (InputError, RuntimeError):
            step = None
    return Checkpoint(
        path, kind, tuple(tensors), tuple(skipped), tuple(missing), step, contents.notes
    )


def _stored(name: str, record: Record, source: SourceFile, places: Places) -> Stored:
    """How a tensor is read.

    Raises:
        InputError: it cannot be read, or its numbers are not in the file.
    """
    if isinstance(record, ArrayRecord):
        array = record.array()
        if array is None:
            raise InputError(f"an array of {record.dtype!r}", remedy="save it as a tensor")
        array = array.astype(array.dtype.newbyteorder("="))
        whole = torch.from_numpy(array)
        return Stored(name, tuple(whole.shape), _said(whole.dtype), whole.detach)
    if record.reason is not None or record.storage is None or record.dtype is None:
        raise InputError(record.reason or "it has no numbers", remedy="save a dense copy")
    shape, stride, dtype = record.shape, record.stride, record.dtype
    if 0 in shape:
        return Stored(name, shape, _said(dtype), partial(torch.empty, shape, dtype=dtype))
    start, size = places.get(record.storage.key, (-1, -1))
    begin = (record.storage.start * record.storage.dtype.itemsize) + record.offset * dtype.itemsize
    span = 1 + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if start < 0:
        raise InputError("its data are not in the file", remedy=FETCH)
    if begin + span * dtype.itemsize > size:
        raise InputError("it reaches beyond its data in the file", remedy=FETCH)
    if torch.Size(shape).numel() > span:
        raise InputError("its elements overlap in the file", remedy="save a contiguous copy")
    held = _Range(source, start + begin, span, dtype, shape, stride)
    return Stored(name, shape, _said(dtype), held.load)


def _said(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _place(record: Record) -> tuple[object, ...] | None:
    """What two names of one tensor have in common."""
    if not isinstance(record, TensorRecord) or record.storage is None or 0 in record.shape:
        return None
    storage = (record.storage.key, record.storage.start)
    return *storage, record.offset, record.shape, record.stride, record.dtype


class _Window(io.RawIOBase):
    """A range of a file as a file of its own."""

    def __init__(self, file: io.FileIO, offset: int, length: int) -> None:
        self._file, self._offset, self._length, self._at = file, offset, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._length)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._length - self._at)]
        self._file.seek(self._offset + self._at)
        data = self._file.read(len(view)) or b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
