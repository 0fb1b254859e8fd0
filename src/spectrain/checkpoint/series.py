"""A folder of checkpoints of one run, distinguished by the steps in their names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.layouts.candidates import candidates, is_part
from spectrain.checkpoint.layouts.hugging_face import PREFERRED
from spectrain.checkpoint.open import open_checkpoint, step_of
from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError

_TRAILING = re.compile(r".*?(\d{1,18})", re.ASCII | re.DOTALL)


def find_series(folder: Path) -> dict[int, Path]:
    """Checkpoints in a folder by the steps of their names; empty where there are fewer than two.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for step in (10, 200):
        ...         _ = Path(folder, f"checkpoint-{step}.pt").write_bytes(b"")
        ...     [(step, path.name) for step, path in find_series(Path(folder)).items()]
        [(10, 'checkpoint-10.pt'), (200, 'checkpoint-200.pt')]
    """
    if not folder.is_dir():
        return {}
    paths = candidates(folder)
    named = {path: step for path in paths if (step := step_of(path)) is not None}
    if len(named) < 2 and not any((folder / name).exists() for name in PREFERRED):
        named = {path: step for path in paths if (step := _trailing_number(path)) is not None}
    steps = set(named.values())
    if len(steps) < 2:
        return {}
    if len(steps) < len(named):
        raise InputError(
            f"{str(folder)!r} holds several checkpoints of one step",
            remedy="leave one format of each, or pass files",
        )
    return {step: path for path, step in sorted(named.items(), key=lambda item: item[1])}


def open_series(folder: Path, series: dict[int, Path]) -> list[Checkpoint]:
    """Open the checkpoints of a series; their steps are those of the names.

    Notes of the last one name the checkpoints in the folder whose names tell no step.

    Args:
        folder: that holds them.
        series: of :func:`find_series`.
    """
    opened = [replace(open_checkpoint(path), step=step) for step, path in series.items()]
    beside = [path.name for path in candidates(folder) if path not in series.values()]
    files = [name for name in beside if (folder / name).is_file()]
    if files:
        note = f"not in the series, their names tell no step: {', '.join(files)}"
        opened[-1] = replace(opened[-1], notes=(*opened[-1].notes, note))
    return opened


def _trailing_number(path: Path) -> int | None:
    stem = path.stem if path.is_file() else path.name
    match = None if is_part(stem) else _TRAILING.fullmatch(stem)
    return int(match[1]) if match else None
