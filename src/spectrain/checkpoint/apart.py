"""What lies beside a model under names with dots, in formats without containers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from spectrain.checkpoint.beside import AVERAGE, OPTIMIZER, beside_the_model
from spectrain.checkpoint.stored import Checkpoint
from spectrain.checkpoint.twins import find_twins, follows, note_on_twins
from spectrain.core import Skipped

_AROUND = frozenset({"module", "model", "state_dict", "_orig_mod"})
"""Components that whole models are wrapped in."""


def set_apart(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without an optimizer's state, moving averages and followers of a part.

    They are recognised by the first component of their names, wrappers aside; moving averages are
    the model where there is nothing else.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> from spectrain.checkpoint.stored import Stored
        >>> names = "h.w", "ema.h.w", "optimizer.state.0.exp_avg"
        >>> held = tuple(Stored(n, (2, 2), "float32", lambda: torch.eye(2)) for n in names)
        >>> [item.name for item in set_apart(Checkpoint(Path("m"), "test", held)).tensors]
        ['h.w']
    """
    reasons: dict[str, str] = {}
    parts: dict[str, dict[Hashable, Hashable]] = {}
    part_of: dict[str, str] = {}
    for item in checkpoint.tensors:
        head, rest = _split(item.name)
        why = beside_the_model([head, *rest.split(".")]) if rest else None
        if why == OPTIMIZER or (why == AVERAGE and beside_the_model([head]) == AVERAGE):
            reasons[item.name] = why
        elif rest:
            parts.setdefault(head, {})[rest] = item.shape
            part_of[item.name] = head
    if AVERAGE in reasons.values() and len(reasons) == len(checkpoint.tensors):
        reasons = {name: why for name, why in reasons.items() if why == OPTIMIZER}
    twins = find_twins(parts)
    reasons |= {name: follows(twins[part]) for name, part in part_of.items() if part in twins}
    if not reasons:
        return checkpoint
    notes = (*checkpoint.notes, *([note_on_twins(twins)] if twins else []))
    return replace(
        checkpoint,
        tensors=tuple(item for item in checkpoint.tensors if item.name not in reasons),
        skipped=(
            *checkpoint.skipped,
            *(Skipped(name, f"beside the model: {why}") for name, why in reasons.items()),
        ),
        notes=notes,
    )


def _split(name: str) -> tuple[str, str]:
    """The first component that is not a wrapper, and what follows it."""
    head, _, rest = name.partition(".")
    while head in _AROUND and "." in rest:
        head, _, rest = rest.partition(".")
    return head, rest
