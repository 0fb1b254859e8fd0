"""What a checkpoint holds, from its headers alone: names, shapes, types and sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spectrain.checkpoint.stored import Checkpoint, Stored


@dataclass(frozen=True, slots=True)
class Line:
    """A tensor, or several that differ only in the number of their layer.

    Attributes:
        name: with a range in braces where there are several: ``layers.{0…31}.q_proj.weight``.
        shape: of each.
        dtype: of the numbers on file.
        count: how many.
        entries: of all.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    entries: int


def listing(checkpoint: Checkpoint) -> list[Line]:
    """The tensors of a checkpoint in the order of the file, layers of one kind together.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> held = tuple(
        ...     Stored(f"h.{i}.w", (4, 2), "float32", lambda: torch.ones(4, 2)) for i in range(3)
        ... )
        >>> [(line.name, line.count) for line in listing(Checkpoint(Path("m"), "test", held))]
        [('h.{0…2}.w', 3)]
    """
    groups: dict[tuple[str, tuple[int, ...], str], list[Stored]] = {}
    for item in checkpoint.tensors:
        pattern = re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "#", item.name)
        groups.setdefault((pattern, item.shape, item.dtype), []).append(item)
    return [_line(items) for items in groups.values()]


def _line(items: Sequence[Stored]) -> Line:
    first, last = items[0], items[-1]
    name = first.name
    if len(items) > 1:
        parts = zip(first.name.split("."), last.name.split("."), strict=True)
        name = ".".join(a if a == b else f"{{{a}…{b}}}" for a, b in parts)
    entries = sum(math.prod(item.shape) for item in items)
    return Line(name, first.shape, first.dtype, len(items), entries)


def to_dict(checkpoint: Checkpoint) -> dict[str, Any]:
    """Plain data for JSON: every tensor by itself."""
    return {
        "name": checkpoint.path.name,
        "format": checkpoint.format,
        "step": checkpoint.step,
        "notes": list(checkpoint.notes),
        "metadata": dict(checkpoint.metadata),
        "tensors": [
            {"name": t.name, "shape": list(t.shape), "dtype": t.dtype, "note": t.note}
            for t in checkpoint.tensors
        ],
        "skipped": [{"parameter": s.parameter, "reason": s.reason} for s in checkpoint.skipped],
        "missing": [{"parameter": s.parameter, "reason": s.reason} for s in checkpoint.missing],
    }
