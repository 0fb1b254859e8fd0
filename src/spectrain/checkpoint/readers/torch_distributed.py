"""Folders of ``torch.distributed.checkpoint``: a table of chunks, and files that hold them.

The table is a pickle, and torch itself reads it with a full unpickler. Here it is read by one that
knows the few classes of such tables as plain holders of fields and refuses everything else.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.readers.nested import BESIDE, STEPS, model_prefix, whole_number
from spectrain.checkpoint.readers.torch_file import FETCH, load_item
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

TABLE = ".metadata"


class _Fields:
    """Stands for an instance of a class of the table: keeps its fields, runs nothing."""

    def __init__(self, *fields: Any) -> None:
        self.fields = fields

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)
        else:
            self.fields = state


def _names(module: str, names: str) -> dict[tuple[str, str], Any]:
    return {(module, name): _Fields for name in names.split()}


_ALLOWED: dict[tuple[str, str], Any] = {
    **_names(
        "torch.distributed.checkpoint.metadata",
        "Metadata TensorStorageMetadata BytesStorageMetadata TensorProperties "
        "ChunkStorageMetadata MetadataIndex StorageMeta _MEM_FORMAT_ENCODING",
    ),
    **_names("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    **_names("torch.serialization", "_get_layout"),
    **_names("pathlib", "PosixPath WindowsPath PurePosixPath PureWindowsPath"),
    **_names("pathlib._local", "PosixPath WindowsPath"),
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): dict,
}


class _Table(pickle._Unpickler):  # the one in C allocates memory as the file bids
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module == "torch" and isinstance(dtype := getattr(torch, name, None), torch.dtype):
            return dtype
        raise InputError(
            f"the table {TABLE!r} asks to run {module}.{name} when it is loaded: refused",
            remedy="save the model's state_dict alone",
        )

    def persistent_load(self, _: Any) -> Any:
        raise pickle.UnpicklingError("no persistent objects are expected")


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A rectangular part of a tensor and the range of a file that holds it."""

    source: SourceFile
    offset: int
    length: int
    start: tuple[int, ...]
    size: tuple[int, ...]


def read_torch_distributed(folder: Path) -> Checkpoint:
    """Open a folder of ``torch.distributed.checkpoint``.

    Raises:
        InputError: the table is damaged, asks to run code, or points outside the folder.
    """
    table = _load_table(folder)
    try:
        entries, files = dict(table.state_dict_metadata), dict(table.storage_data)
        places = _places(folder, files)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"the table of {folder.name!r} has an unknown form ({error})", remedy=FETCH
        ) from None
    names = [str(name) for name, entry in entries.items() if hasattr(entry, "chunks")]
    prefix = model_prefix(names)
    tensors, skipped, missing = [], [], []
    for name in names:
        if not name.startswith(prefix):
            skipped.append(Skipped(name, BESIDE))
            continue
        own = name.removeprefix(prefix)
        try:
            tensors.append(_stored(own, name, entries[name], places))
        except (InputError, AttributeError, TypeError, ValueError) as error:
            missing.append(Skipped(own, str(error)))
    return Checkpoint(
        folder,
        "torch distributed",
        tuple(tensors),
        tuple(skipped),
        tuple(missing),
        _step(entries, places),
    )


def _step(entries: Mapping[Any, Any], places: Mapping[Any, Any]) -> int | None:
    for name in STEPS & entries.keys():
        source, info = places.get((name, ()), (None, None))
        if isinstance(source, SourceFile) and info is not None:
            try:
                return whole_number(load_item(source, int(info.offset), int(info.length)))
            except (InputError, AttributeError, TypeError, ValueError, RuntimeError):
                return None
    return None


def _load_table(folder: Path) -> Any:
    source = SourceFile.at(folder / TABLE)
    data = source.read(0, source.size).numpy().tobytes()
    try:
        return _Table(BytesIO(data)).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise InputError(
            f"the table of {folder.name!r} does not load ({type(error).__name__}: {error})",
            remedy=FETCH,
        ) from None


def _places(folder: Path, files: dict[Any, Any]) -> dict[tuple[str, tuple[int, ...]], Any]:
    """(name, start of the chunk) → where it is."""
    sources: dict[str, SourceFile | InputError] = {}
    places = {}
    for index, info in files.items():
        path = info.relative_path
        if path not in sources:
            sources[path] = _source(folder, path)
        places[index.fqn, tuple(getattr(index, "offset", None) or ())] = (sources[path], info)
    return places


def _source(folder: Path, relative: str) -> SourceFile | InputError:
    if (pure := PurePosixPath(relative)).is_absolute() or ".." in pure.parts or "\\" in relative:
        raise InputError(
            f"the table of {folder.name!r} points to {relative!r}, outside the folder",
            remedy="do not use this checkpoint",
        )
    try:
        return SourceFile.at(folder / pure)
    except InputError as error:
        return error


def _stored(own: str, name: str, entry: Any, places: dict[Any, Any]) -> Stored:
    shape, dtype = _sides(entry.size), _dtype(entry.properties)
    chunks = []
    for part in entry.chunks:
        start, size = _sides(part.offsets), _sides(part.sizes)
        if len(start) != len(shape) or any(
            a + b > side for a, b, side in zip(start, size, shape, strict=True)
        ):
            raise InputError("a chunk of it lies outside its shape", remedy=FETCH)
        source, info = places.get((name, start), places.get((name, ()), (None, None)))
        if isinstance(source, InputError):
            raise source
        if source is None:
            raise InputError("the table does not tell where it is", remedy=FETCH)
        chunks.append(_Chunk(source, int(info.offset), int(info.length), start, size))
    held = sum(torch.Size(chunk.size).numel() for chunk in chunks)
    if held != torch.Size(shape).numel():
        raise InputError(
            f"its chunks hold {held} of {torch.Size(shape).numel()} elements", remedy=FETCH
        )
    if sum(chunk.length for chunk in chunks) < held * dtype.itemsize:
        raise InputError("its chunks are shorter than their shapes need", remedy=FETCH)
    load = partial(_assemble, tuple(chunks), shape, dtype)
    return Stored(own, shape, str(dtype).removeprefix("torch."), load)


def _assemble(chunks: Sequence[_Chunk], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    hole = math.nan if dtype.is_floating_point else 0  # chunks that overlap leave holes
    whole: Tensor | None = None
    for chunk in chunks:
        part = load_item(chunk.source, chunk.offset, chunk.length)
        if not isinstance(part, Tensor):
            raise InputError("a chunk holds no tensor", remedy=FETCH)
        if tuple(part.shape) != chunk.size or part.dtype != dtype:
            raise InputError("a chunk is not what the table says", remedy=FETCH)
        if chunk.size == shape:
            return part
        whole = torch.full(shape, hole, dtype=dtype) if whole is None else whole
        whole[tuple(slice(a, a + b) for a, b in zip(chunk.start, chunk.size, strict=True))] = part
    return torch.empty(shape, dtype=dtype) if whole is None else whole


def _sides(size: Iterable[Any]) -> tuple[int, ...]:
    sides = tuple(size)
    if not all(isinstance(side, int) and 0 <= side < 1 << 62 for side in sides):
        raise InputError(f"{sides} is no shape", remedy=FETCH)
    return sides


def _dtype(properties: Any) -> torch.dtype:
    found = getattr(properties, "dtype", None) or next(iter(properties.fields), None)
    if not isinstance(found, torch.dtype):
        raise InputError("the table does not tell its dtype", remedy=FETCH)
    return found
