"""Folders of ``torch.distributed.checkpoint``: a table of chunks, and files that hold them.

The table is a pickle, and torch itself reads it with a full unpickler. Here it is read as data.
Names distinguish the model from what lies beside it, with or without a prefix of its own.

Megatron-Core keeps all layers of one kind in a single tensor of shape layers × m × n, such as
``decoder.layers.mlp.linear_fc1.weight``; such tensors are given as one a layer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from spectrain.checkpoint.beside import beside_the_model
from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.readers.inert import Fields, InertUnpickler
from spectrain.checkpoint.readers.nested import STEPS, WEIGHTS, whole_number
from spectrain.checkpoint.readers.torch_file import FETCH, load_item, read_saved
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

TABLE = ".metadata"


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
        entries, files = dict(table["state_dict_metadata"]), dict(table["storage_data"])
        places = _places(folder, files)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the table of {folder.name!r} has an unknown form ({error})", remedy=FETCH
        ) from None
    tensors, skipped, missing = [], [], []
    held: dict[str, Any] = {}
    for name, entry in entries.items():
        if isinstance(entry, Fields) and "chunks" in _state(entry):
            if reason := beside_the_model(str(name).split(".")):
                skipped.append(Skipped(str(name), f"beside the model: {reason}"))
            else:
                held[str(name)] = _state(entry)
    prefix = _common_prefix(held) if skipped else ""
    stacked = any(skip.parameter.startswith("optimizer.state.") for skip in skipped) or (
        (folder / "common.pt").is_file()
    )
    for name, entry in held.items():
        own = name.removeprefix(prefix)
        try:
            whole = _stored(own, name, entry, places)
        except (InputError, AttributeError, KeyError, TypeError, ValueError) as error:
            missing.append(Skipped(own, str(error)))
            continue
        layers = list(_layers(whole)) if stacked and _STACKED.search(own) else [whole]
        tensors.extend(layers)
    return Checkpoint(
        folder,
        "torch distributed",
        tuple(tensors),
        tuple(skipped),
        tuple(missing),
        _step(folder, entries, places),
    )


def _common_prefix(names: Iterable[str]) -> str:
    """What all names of the model begin with, where that is a key that holds models.

    Example:
        >>> _common_prefix(["app.model.w", "app.model.v"]), _common_prefix(["layers.0.w"])
        ('app.model.', '')
    """
    prefix, names = "", list(names)
    while True:
        first = {name.removeprefix(prefix).partition(".")[0::2] for name in names}
        heads = {head for head, _ in first}
        if len(heads) != 1 or not heads <= WEIGHTS or not all(rest for _, rest in first):
            return prefix
        head = heads.pop()
        prefix += f"{head}."
        if head != "app":  # a wrapper of the whole state; what others hold are the model's names
            return prefix


_STACKED = re.compile(r"(?:^|\.)layers\.(?!\d)")


def _layers(whole: Stored) -> Iterator[Stored]:
    """The layers of a tensor that stacks them, each read by itself."""
    if len(whole.shape) < 2:
        yield whole
        return
    head, _, tail = whole.name.rpartition("layers.")
    for layer in range(whole.shape[0]):
        assert isinstance(whole.load, partial)
        load = partial(_one_layer, whole.load, layer)
        yield replace(whole, name=f"{head}layers.{layer}.{tail}", shape=whole.shape[1:], load=load)


def _one_layer(load: partial[Tensor], layer: int) -> Tensor:
    chunks, shape, dtype = load.args
    within = [c for c in chunks if c.start[0] <= layer < c.start[0] + c.size[0]]
    one = (1, *shape[1:])
    parts = [(c, load_item(c.source, c.offset, c.length)) for c in within]
    hole = math.nan if dtype.is_floating_point else 0
    whole = torch.full(one, hole, dtype=dtype)
    for chunk, part in parts:
        if not isinstance(part, Tensor) or tuple(part.shape) != chunk.size:
            raise InputError("a chunk is not what the table says", remedy=FETCH)
        sides = zip(chunk.start[1:], chunk.size[1:], strict=True)
        place = tuple(slice(a, a + b) for a, b in sides)
        whole[0][place] = part[layer - chunk.start[0]]
    return whole[0]


def _step(folder: Path, entries: Mapping[Any, Any], places: Mapping[Any, Any]) -> int | None:
    named = [name for name in map(str, entries) if name.rpartition(".")[2] in STEPS]
    named = [name for name in named if name.count(".") < 2 and "optim" not in name]
    for name in sorted(named, key=lambda name: (name.count("."), name)):
        source, info = places.get((name, ()), places.get((name, (0,)), (None, None)))
        if isinstance(source, SourceFile) and info is not None:
            try:
                value = load_item(source, int(info["offset"]), int(info["length"]))
                value = value.item() if isinstance(value, Tensor) else value
            except (InputError, KeyError, TypeError, ValueError, RuntimeError):
                continue
            if (step := whole_number(value)) is not None:
                return step
    for file, key in (("common.pt", "iteration"), ("meta.pt", "global_step")):
        if (folder / file).is_file():
            try:
                return whole_number(read_saved(folder / file).get(key))
            except (InputError, AttributeError):
                return None
    return None


def _state(entry: Any) -> dict[str, Any]:
    """The attributes of an object of the table."""
    return entry.state if isinstance(entry, Fields) and isinstance(entry.state, dict) else {}


def _load_table(folder: Path) -> dict[str, Any]:
    source = SourceFile.at(folder / TABLE)
    data = source.read(0, source.size).numpy().tobytes()
    try:
        return _state(InertUnpickler(BytesIO(data), f"the table {TABLE!r}").load())
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
    for index, info in ((_state(key), _state(value)) for key, value in files.items()):
        path = info["relative_path"]
        if path not in sources:
            sources[path] = _source(folder, path)
        places[str(index["fqn"]), tuple(index.get("offset") or ())] = (sources[path], info)
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


def _stored(own: str, name: str, entry: dict[str, Any], places: dict[Any, Any]) -> Stored:
    shape, dtype = _sides(entry["size"]), _dtype(entry["properties"])
    chunks = []
    for part in map(_state, entry["chunks"]):
        start, size = _sides(part["offsets"]), _sides(part["sizes"])
        if len(start) != len(shape) or any(
            a + b > side for a, b, side in zip(start, size, shape, strict=True)
        ):
            raise InputError("a chunk of it lies outside its shape", remedy=FETCH)
        source, info = places.get((name, start), places.get((name, ()), (None, None)))
        if isinstance(source, InputError):
            raise source
        if source is None:
            raise InputError("the table does not tell where it is", remedy=FETCH)
        chunks.append(_Chunk(source, int(info["offset"]), int(info["length"]), start, size))
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
    state = properties.state if isinstance(properties, Fields) else None
    dtype = state.get("dtype") if isinstance(state, dict) else next(iter(state or ()), None)
    if not isinstance(dtype, torch.dtype):
        raise InputError("the table does not tell its dtype", remedy=FETCH)
    return dtype
