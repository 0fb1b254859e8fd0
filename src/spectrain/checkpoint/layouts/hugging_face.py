"""Folders of Hugging Face: an adapter, an index of shards, a model; or of a single file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.files import read_json
from spectrain.checkpoint.layouts.candidates import candidates, is_part
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.readers.nested import whole_number
from spectrain.checkpoint.readers.sharded import are_numbered, read_numbered
from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError

PREFERRED = (
    "adapter_model.safetensors",
    "adapter_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "consolidated.safetensors",
    "pytorch_model_fsdp.bin",
)
"""Which file of a folder is the checkpoint, where several are there: the first of these."""


@layout("hugging face")
def open_hugging_face(folder: Path, open_path: Open) -> Checkpoint | None:
    """The preferred file, the only index, the only file, or all shards of a folder."""
    checkpoint = _open(folder, open_path)
    if checkpoint is None or checkpoint.step is not None:
        return checkpoint
    return replace(checkpoint, step=_step_in(folder / "trainer_state.json"))


def _open(folder: Path, open_path: Open) -> Checkpoint | None:
    for name in PREFERRED:
        if (folder / name).is_file():
            return open_path(folder / name)
    indices = sorted(path for path in folder.glob("*.index.json") if path.is_file())
    if len(indices) == 1:
        return open_path(indices[0])
    files = [path for path in candidates(folder) if path.is_file()]
    if len(files) == 1:
        return open_path(files[0])
    if are_numbered(files):
        return read_numbered(files, open_path)
    if files and all(is_part(path.stem) for path in files):
        raise InputError(
            f"{str(folder)!r} holds parts of one model ({files[0].name}, …) in a layout that is "
            "not known",
            remedy="join them with the program that wrote them, or save a state_dict of whole "
            "tensors",
        )
    if files:
        names = ", ".join(path.name for path in files[:4])
        raise InputError(
            f"{str(folder)!r} holds several checkpoints ({names}, …)", remedy="pass one of them"
        )
    return None


def _step_in(path: Path) -> int | None:
    """The step in the Trainer's own state."""
    if not path.is_file():
        return None
    try:
        state = read_json(path, 100_000_000)
    except InputError:
        return None
    return whole_number(state.get("global_step")) if isinstance(state, dict) else None
