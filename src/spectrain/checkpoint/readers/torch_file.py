"""Files of ``torch.save``: zip archives, read tensor by tensor, and what came before them.

Nothing is unpickled into code: ``torch.load(weights_only=True)`` makes tensors, containers and
numbers only. It is asked for tensors on the ``meta`` device, which know their place in the file and
hold no data.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.readers.nested import BESIDE, Contents, contents_of
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

FETCH = "the file is damaged or cut short: fetch or save it again"
SAVE_PLAIN = "save model.state_dict() alone, or save as safetensors"

_LOCAL_HEADER = 30  # bytes before name and extra field of a record in a zip archive


def read_torch(path: Path) -> Checkpoint:
    """Open a file of ``torch.save`` (``.pt``, ``.pth``, ``.bin``, ``.ckpt``).

    Raises:
        InputError: it is damaged, would have to run code, or holds no tensors.
    """
    source = SourceFile.at(path)
    if source.read(0, min(source.size, 2)).numpy().tobytes() != b"PK":
        contents = contents_of(load_tensors(path, path.name))
        whole = f"from before torch 1.6, loaded whole: {source.size / 1e6:.1f} MB of memory"
        return _checkpoint(path, "torch, legacy", contents, _load_held, (whole,))
    records = _records(source)
    try:
        contents = contents_of(load_tensors(path, path.name, map_location="meta"))
        told = all(_offset(tensor) is not None for tensor in contents.tensors.values())
    except NotImplementedError:  # quantized tensors have no meta form
        told = False
    if told:
        return _checkpoint(path, "torch", contents, partial(_load_range, source, records), ())
    contents = contents_of(load_tensors(path, path.name, mmap=True))
    return _checkpoint(path, "torch", contents, _load_held, ("memory-mapped as a whole",))


def load_tensors(file: Path | io.BytesIO, name: str, **how: Any) -> Any:
    """``torch.load(weights_only=True)``, with errors that name the file and the remedy.

    Raises:
        InputError: the file is damaged, or asks to run code.
        NotImplementedError: it holds tensors that do not exist in the form asked for.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, weights_only=True, **{"map_location": "cpu", **how})
    except NotImplementedError:
        raise
    except Exception as error:  # a damaged pickle can make any of torch's own functions fail
        text = str(error).rpartition("WeightsUnpickler error:")[2].strip()
        wanted = re.search(r"(?:GLOBAL|class|function) ([\w.]+)", text)
        if isinstance(error, pickle.UnpicklingError) and wanted:
            problem = f"{name!r} asks to run {wanted[1]} when it is loaded: refused"
            raise InputError(problem, remedy=SAVE_PLAIN) from None
        if text.startswith("Unsupported operand"):
            problem = f"{name!r} is a pickle with instructions that only code needs: refused"
            raise InputError(problem, remedy=SAVE_PLAIN) from None
        reason = f"{type(error).__name__}: {text.partition(chr(10))[0][:200]}"
        raise InputError(f"{name!r} does not load ({reason})", remedy=FETCH) from None


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


def _load_range(
    source: SourceFile, records: Mapping[int, int], tensor: Tensor
) -> Callable[[], Tensor]:
    if tensor.numel() == 0:
        return partial(torch.empty, tuple(tensor.shape), dtype=tensor.dtype)
    start, size = _offset(tensor), tensor.untyped_storage().nbytes()
    if start is None or size > records.get(start, -1):
        raise InputError("its data are not in the file", remedy=FETCH)
    width = tensor.dtype.itemsize
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    span = int(1 + sum((side - 1) * step for side, step in pairs))
    if (tensor.storage_offset() + span) * width > size:
        raise InputError("it reaches beyond its data in the file", remedy=FETCH)
    if tensor.numel() > span:
        raise InputError("its elements overlap in the file", remedy="save a contiguous copy")
    offset = start + int(tensor.storage_offset()) * width
    return _Range(source, offset, span, tensor.dtype, tuple(tensor.shape), tensor.stride()).load


def _load_held(tensor: Tensor) -> Callable[[], Tensor]:
    return tensor.detach


def _checkpoint(
    path: Path,
    kind: str,
    contents: Contents,
    loader: Callable[[Tensor], Callable[[], Tensor]],
    notes: tuple[str, ...],
) -> Checkpoint:
    if not contents.tensors:
        raise InputError(f"{path.name!r} holds no tensors", remedy=SAVE_PLAIN)
    skipped = [Skipped(name, BESIDE) for name in contents.beside]
    tensors, missing = [], []
    first: dict[object, str] = {}
    for name, tensor in contents.tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
            missing.append(Skipped(name, f"a {tensor.layout} tensor, which is not read yet"))
            continue
        place = _place(tensor)
        if tensor.numel() and place in first:
            skipped.append(Skipped(name, f"the same tensor as {first[place]!r}"))
            continue
        first[place] = name
        try:
            load = loader(tensor)
        except InputError as error:
            missing.append(Skipped(name, str(error)))
        else:
            dtype = str(tensor.dtype).removeprefix("torch.")
            tensors.append(Stored(name, tuple(tensor.shape), dtype, load))
    return Checkpoint(
        path, kind, tuple(tensors), tuple(skipped), tuple(missing), contents.step, notes
    )


def _offset(tensor: Tensor) -> int | None:
    """Where the data of a meta tensor begin in the file; torch before 2.10 does not tell."""
    if tensor.layout is not torch.strided or tensor.numel() == 0:
        return 0
    offset: int | None = tensor.untyped_storage()._checkpoint_offset
    return offset


def _place(tensor: Tensor) -> tuple[object, ...]:
    """What two names of one tensor have in common."""
    storage = tensor.untyped_storage()
    start = storage._checkpoint_offset or storage.data_ptr()
    return start, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _records(source: SourceFile) -> dict[int, int]:
    """Where the data of the records of a zip archive begin, and how many bytes each has."""
    name = source.path.name
    try:
        with zipfile.ZipFile(source.path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise InputError(f"{name!r} is no whole zip archive ({error})", remedy=FETCH) from None
    if any("/code/" in entry.filename for entry in entries):
        raise InputError(f"{name!r} is a TorchScript program: refused", remedy=SAVE_PLAIN)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise InputError(
            f"{name!r} is a compressed archive, not one of torch.save", remedy=SAVE_PLAIN
        )
    records = {}
    for entry in entries:
        lengths = source.read(entry.header_offset + _LOCAL_HEADER - 4, 4).view(torch.uint16)
        start = entry.header_offset + _LOCAL_HEADER + int(lengths[0]) + int(lengths[1])
        records[start] = entry.file_size
    return records


def load_item(source: SourceFile, offset: int, length: int) -> Any:
    """What ``torch.save`` wrote into a range of a file: a tensor, a number, a container of them.

    Raises:
        InputError: it is damaged, or asks to run code.
    """
    data = source.read(offset, length).numpy().tobytes()
    return load_tensors(io.BytesIO(data), source.path.name)
