"""Folders of Diffusers: a pipeline of several models, each in a folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.layouts.candidates import inner_folders
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.stored import Checkpoint


@layout("pipeline")
def open_pipeline(folder: Path, open_path: Open) -> Checkpoint | None:
    """All models that a ``model_index.json`` speaks of, under the names of their folders."""
    if not (folder / "model_index.json").is_file() or not (parts := inner_folders(folder)):
        return None
    opened = {path.name: open_path(path) for path in parts}
    prefixed = [
        (
            [replace(item, name=f"{part}.{item.name}") for item in one.tensors],
            [replace(skip, parameter=f"{part}.{skip.parameter}") for skip in one.skipped],
            [replace(skip, parameter=f"{part}.{skip.parameter}") for skip in one.missing],
        )
        for part, one in opened.items()
    ]
    return Checkpoint(
        folder,
        f"pipeline of {', '.join(opened)}",
        tuple(item for tensors, _, _ in prefixed for item in tensors),
        tuple(skip for _, skipped, _ in prefixed for skip in skipped),
        tuple(skip for _, _, missing in prefixed for skip in missing),
        notes=tuple(dict.fromkeys(note for one in opened.values() for note in one.notes)),
    )
