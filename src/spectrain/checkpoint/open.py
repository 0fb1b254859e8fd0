"""From a path to a checkpoint: what kind of file or folder it is, and how it is read."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.adapters import read_adapter_config, resolve_adapters
from spectrain.checkpoint.apart import set_apart
from spectrain.checkpoint.architecture import read_config
from spectrain.checkpoint.files import SourceFile
from spectrain.checkpoint.layouts import LAYOUTS
from spectrain.checkpoint.layouts.candidates import SUFFIXES
from spectrain.checkpoint.layouts.deepspeed import CONVERT
from spectrain.checkpoint.parametrized import join_parametrized
from spectrain.checkpoint.quantized import resolve_quantized
from spectrain.checkpoint.readers import HEAD, READERS
from spectrain.checkpoint.readers.foreign import refuse_foreign, refuse_foreign_folder
from spectrain.checkpoint.readers.sharded import read_index
from spectrain.checkpoint.stored import Checkpoint
from spectrain.checkpoint.weight_norm import join_weight_norm
from spectrain.core import InputError

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
    checkpoint = set_apart(_open(place))
    _refuse_empty(checkpoint)
    file = checkpoint.path
    folder = file if file.is_dir() else file.parent
    config = read_config(folder)
    checkpoint = resolve_quantized(checkpoint, config)
    checkpoint = join_weight_norm(resolve_adapters(checkpoint, read_adapter_config(folder)))
    checkpoint = join_parametrized(checkpoint)
    step = checkpoint.step
    for part in (file, *file.parents):
        step = step_of(part) if step is None else step
        if part == place:
            break
    return replace(checkpoint, path=place, step=step, config=config)


def step_of(path: Path) -> int | None:
    """The step in a name such as ``checkpoint-500`` or ``step_1000.pt``.

    Example:
        >>> step_of(Path("run/checkpoint-500")), step_of(Path("model.pt"))
        (500, None)
    """
    stem = path.name.removesuffix(path.suffix) if path.suffix in SUFFIXES else path.name
    if numbers := _STEP.findall(stem):
        return int(numbers[-1])
    return int(stem) if stem.isdecimal() and stem.isascii() and len(stem) < 19 else None


def _open(path: Path) -> Checkpoint:
    return _open_folder(path) if _is_folder(path) else _open_file(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _open_folder(folder: Path) -> Checkpoint:
    try:
        refuse_foreign_folder(folder)
        for open_layout in LAYOUTS.values():
            if (checkpoint := open_layout(folder, _open)) is not None:
                return checkpoint
    except OSError as error:
        raise InputError(
            f"{str(folder)!r} cannot be read: {error.strerror}", remedy="check the rights"
        ) from None
    odd = [path.name for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    if odd:
        raise InputError(
            f"{str(folder)!r} holds no checkpoint: {odd[0]!r} is no ordinary file",
            remedy="fetch it again",
        )
    if any(folder.glob("*.distcp")):
        raise InputError(
            f"{str(folder)!r} holds parts of a distributed checkpoint and not its table .metadata",
            remedy="fetch that too; it is written last",
        )
    raise InputError(
        f"{str(folder)!r} holds no checkpoint",
        remedy=f"pass a file: {', '.join(sorted(SUFFIXES))}",
    )


def _open_file(path: Path) -> Checkpoint:
    if path.name.endswith(".index.json"):
        return read_index(path, _open_shard)
    source = SourceFile.at(path)
    head = source.read(0, min(source.size, HEAD)).numpy().tobytes()
    refuse_foreign(path, head)
    for reader in READERS.values():
        if reader.recognises(path, head):
            return reader.read(path)
    raise InputError(
        f"{str(path)!r} is neither safetensors, nor of torch.save, nor GGUF",
        remedy="pass a checkpoint",
    )


def _open_shard(path: Path) -> Checkpoint:
    if path.name.endswith(".json"):
        raise InputError(f"{path.name!r} is no shard", remedy="fetch the index again")
    return _open_file(path)


def _refuse_empty(checkpoint: Checkpoint) -> None:
    """Placeholders without numbers are left by programs that keep the weights elsewhere."""
    several = len(checkpoint.tensors) > 1 and not checkpoint.missing
    if several and all(0 in tensor.shape for tensor in checkpoint.tensors):
        raise InputError(
            f"all tensors of {checkpoint.path.name!r} are empty: the weights lie elsewhere, as "
            "under ZeRO-3 of DeepSpeed",
            remedy=CONVERT,
        )
