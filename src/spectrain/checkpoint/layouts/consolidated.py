"""``consolidated.00.pth``, …: the slices of tensor parallelism as Llama was published."""

from __future__ import annotations

import re
from pathlib import Path

from spectrain.checkpoint.layouts.joining import join_slices
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError

_FILE = re.compile(r"consolidated\.(\d\d)\.(?:pth|pt|safetensors)", re.ASCII)


@layout("consolidated")
def open_consolidated(folder: Path, open_path: Open) -> Checkpoint | None:
    """All ``consolidated.NN`` files of the folder, joined."""
    files = {
        int(match[1]): path for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))
    }
    if not files:
        return None
    if sorted(files) != list(range(len(files))):
        raise InputError(
            f"of the slices in {folder.name!r} only {', '.join(map(str, sorted(files)))} are there",
            remedy="fetch the others too",
        )
    return join_slices(folder, [open_path(files[rank]) for rank in sorted(files)])
