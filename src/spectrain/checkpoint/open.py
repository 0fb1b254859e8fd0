"""From a path to a checkpoint: what kind of file or folder it is, and how it is read."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.lora import join_factors, read_scaling
from spectrain.checkpoint.quantized import resolve_quantized
from spectrain.checkpoint.readers.gguf import MAGIC, read_gguf
from spectrain.checkpoint.readers.safetensors import read_safetensors
from spectrain.checkpoint.readers.sharded import are_numbered, read_index, read_numbered
from spectrain.checkpoint.readers.torch_distributed import TABLE, read_torch_distributed
from spectrain.checkpoint.readers.torch_file import read_torch
from spectrain.checkpoint.stored import Checkpoint
from spectrain.checkpoint.weight_norm import join_weight_norm
from spectrain.core import InputError

SUFFIXES = frozenset({".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf"})
PREFERRED = (
    "adapter_model.safetensors",
    "adapter_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "model.safetensors",
    "pytorch_model.bin",
)
"""Which file of a folder is the checkpoint, where several are there: the first of these."""

_BESIDE = re.compile(
    r"(optimizer|scheduler|training_args|rng_state|scaler|random_states)", re.ASCII
)
_STEP = re.compile(
    r"(?:step|checkpoint|ckpt|iter|iteration|epoch)s?[-_.=]?(\d{1,18})", re.I | re.ASCII
)


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a checkpoint: its tensors by name, read only when they are asked for.

    Args:
        path: a ``.safetensors`` file, one of ``torch.save``, a GGUF file, an index of shards, or a
            folder: of Hugging Face, of ``torch.distributed.checkpoint``, of an adapter, or with a
            single such file.

    Raises:
        InputError: there is no checkpoint, or its header is damaged, or it asks to run code.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> with TemporaryDirectory() as folder:
        ...     torch.save({"w": torch.eye(2)}, f"{folder}/step-100.pt")
        ...     checkpoint = open_checkpoint(folder)
        >>> checkpoint.format, checkpoint.step, [tensor.name for tensor in checkpoint.tensors]
        ('torch', 100, ['w'])
    """
    place = Path(path)
    checkpoint = _open_folder(place) if _is_folder(place) else _open_file(place)
    file = checkpoint.path
    scaling = read_scaling(file if file.is_dir() else file.parent)
    checkpoint = join_weight_norm(join_factors(resolve_quantized(checkpoint), scaling))
    step = checkpoint.step if checkpoint.step is not None else step_of(file)
    step = step_of(place) if step is None else step
    return replace(checkpoint, path=place, step=step)


def step_of(path: Path) -> int | None:
    """The step that a name such as ``checkpoint-500`` or ``step_1000.pt`` tells.

    Example:
        >>> step_of(Path("run/checkpoint-500")), step_of(Path("model.pt"))
        (500, None)
    """
    stem = path.name.removesuffix(path.suffix) if path.suffix in SUFFIXES else path.name
    if found := _STEP.findall(stem):
        return int(found[-1])
    return int(stem) if stem.isdecimal() and stem.isascii() and len(stem) < 19 else None


def candidates(folder: Path) -> list[Path]:
    """The files and folders in a folder that may be checkpoints of one run, by name."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name != "__pycache__" and not entry.name.startswith("."):
                found.append(entry)
        elif entry.suffix in SUFFIXES and not _BESIDE.match(entry.name):
            found.append(entry)
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _open_folder(folder: Path) -> Checkpoint:
    if (folder / TABLE).is_file():
        return read_torch_distributed(folder)
    for name in PREFERRED:
        if (folder / name).is_file():
            return _open_file(folder / name)
    files = [path for path in candidates(folder) if path.is_file()]
    indices = sorted(folder.glob("*.index.json"))
    if len(indices) == 1:
        return _open_file(indices[0])
    if len(files) == 1:
        return _open_file(files[0])
    if are_numbered(files):
        return read_numbered(files, _open_file)
    names = ", ".join(path.name for path in files[:4])
    raise InputError(
        f"{str(folder)!r} holds " + (f"several checkpoints ({names}, …)" if files else "none"),
        remedy="pass one of them" if files else f"pass a file: {', '.join(sorted(SUFFIXES))}",
    )


def _open_file(path: Path) -> Checkpoint:
    if path.name.endswith(".index.json"):
        return read_index(path, _open_shard)
    source = SourceFile.at(path)
    head = source.read(0, min(source.size, 9)).numpy().tobytes()
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        return read_safetensors(path)
    if path.suffix == ".gguf" or head[:4] == MAGIC:
        return read_gguf(path)
    if head[:2] == b"PK" or head[:1] == b"\x80":
        return read_torch(path)
    raise InputError(
        f"{str(path)!r} is neither safetensors, nor of torch.save, nor GGUF",
        remedy="pass a checkpoint",
    )


def _open_shard(path: Path) -> Checkpoint:
    if path.name.endswith(".json"):
        raise InputError(f"{path.name!r} is no shard", remedy="fetch the index again")
    return _open_file(path)
