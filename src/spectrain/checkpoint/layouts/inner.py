"""Folders in which a single folder holds the checkpoint: a run of one step, FSDP's states."""

from __future__ import annotations

from pathlib import Path

from spectrain.checkpoint.layouts.candidates import inner_folders, is_part
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError


@layout("inner folder")
def open_inner(folder: Path, open_path: Open) -> Checkpoint | None:
    """The only folder inside that holds a checkpoint of a model."""
    inner = inner_folders(folder)
    if len(inner) == 1:
        return open_path(inner[0])
    if not inner:
        return None
    names = ", ".join(path.name for path in inner[:4])
    if all(is_part(path.name) for path in inner):
        raise InputError(
            f"{str(folder)!r} holds parts of one model ({names}) in a layout that is not known",
            remedy="join them with the program that wrote them",
        )
    raise InputError(
        f"{str(folder)!r} holds several checkpoints ({names}, …)", remedy="pass one of them"
    )
