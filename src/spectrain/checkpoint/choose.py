"""Choosing tensors of a checkpoint by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from math import prod

from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError, Skipped

NOT_CHOSEN = "not chosen by --include and --exclude"
TOO_FEW = "fewer singular values than --min-evals"
TOO_MANY = "more singular values than --max-evals"


def choose(
    checkpoint: Checkpoint,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    least: int = 0,
    most: int | None = None,
) -> Checkpoint:
    """The checkpoint with the tensors that are chosen by name and size; the others are skipped.

    Args:
        checkpoint: as it was opened.
        include: shell patterns, such as ``*.self_attn.*``; all if none are given.
        exclude: likewise, of names that are not chosen.
        least: fewest singular values of a matrix that is chosen; vectors are not concerned.
        most: most of them; as many as there are if not given.

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
    if not include and not exclude and not least and most is None:
        return checkpoint

    def chosen(name: str) -> bool:
        inside = not include or any(fnmatchcase(name, pattern) for pattern in include)
        return inside and not any(fnmatchcase(name, pattern) for pattern in exclude)

    reasons = {
        item.name: NOT_CHOSEN if not chosen(item.name) else _outside(item.shape, least, most)
        for item in checkpoint.tensors
    }
    kept = tuple(item for item in checkpoint.tensors if reasons[item.name] is None)
    missing = tuple(skip for skip in checkpoint.missing if chosen(skip.parameter))
    if not kept and not missing:
        raise InputError(
            f"no tensor of {checkpoint.path.name!r} is chosen",
            remedy="names are those that --list shows; patterns are as *.self_attn.*",
        )
    others = [Skipped(name, reason) for name, reason in reasons.items() if reason is not None]
    return replace(
        checkpoint, tensors=kept, missing=missing, skipped=(*checkpoint.skipped, *others)
    )


def _outside(shape: tuple[int, ...], least: int, most: int | None) -> str | None:
    """Why a tensor is left out by its size: the shorter side of each of its matrices."""
    if len(shape) < 2:
        return None
    sides = shape[-2:] if len(shape) == 3 else (shape[0], prod(shape[1:]))
    if min(sides) < least:
        return TOO_FEW
    return TOO_MANY if most is not None and min(sides) > most else None
