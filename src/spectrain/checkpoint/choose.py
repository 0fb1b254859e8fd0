"""Choosing tensors of a checkpoint by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError, Skipped

NOT_CHOSEN = "not chosen by --include and --exclude"


def choose(
    checkpoint: Checkpoint, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Checkpoint:
    """The checkpoint with the tensors whose names are chosen; the others are skipped.

    Args:
        checkpoint: as it was opened.
        include: shell patterns, such as ``*.self_attn.*``; all if none are given.
        exclude: likewise, of names that are not chosen.

    Raises:
        InputError: nothing is left.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from spectrain.checkpoint.stored import Stored
        >>> held = tuple(Stored(n, (2, 2), "float32", lambda: torch.eye(2)) for n in ("a.w", "b.w"))
        >>> [item.name for item in choose(Checkpoint(Path("m"), "test", held), ["a.*"]).tensors]
        ['a.w']
    """
    if not include and not exclude:
        return checkpoint

    def chosen(name: str) -> bool:
        inside = not include or any(fnmatchcase(name, pattern) for pattern in include)
        return inside and not any(fnmatchcase(name, pattern) for pattern in exclude)

    kept = tuple(item for item in checkpoint.tensors if chosen(item.name))
    missing = tuple(skip for skip in checkpoint.missing if chosen(skip.parameter))
    if not kept and not missing:
        raise InputError(
            f"no tensor of {checkpoint.path.name!r} is chosen",
            remedy="names are those that --list shows; patterns are as *.self_attn.*",
        )
    others = [Skipped(t.name, NOT_CHOSEN) for t in checkpoint.tensors if not chosen(t.name)]
    return replace(
        checkpoint, tensors=kept, missing=missing, skipped=(*checkpoint.skipped, *others)
    )
