"""``spectrain inspect --list``: what a checkpoint holds, without reading its numbers."""

from __future__ import annotations

from collections import Counter
from json import dumps

from spectrain.checkpoint.listing import listing, to_dict
from spectrain.checkpoint.stored import Checkpoint
from spectrain.cli.fitted_table import Row
from spectrain.cli.terminal import say, show_fitted

INCOMPLETE = 3

_MOST_METADATA = 20
_LONGEST = 200


def show_listing(checkpoint: Checkpoint, *, json: bool) -> int:
    """Print names, shapes, types, numbers of entries and metadata; the exit status."""
    if json:
        print(dumps(to_dict(checkpoint)))
        return INCOMPLETE if checkpoint.missing else 0
    step = "" if checkpoint.step is None else f", step {checkpoint.step:,}"
    say(f"{checkpoint.path.name}: {checkpoint.format}{step}")
    for note in checkpoint.notes:
        say(note)
    for key, text in list(checkpoint.metadata.items())[:_MOST_METADATA]:
        say(f"{key}: {text[:_LONGEST]}{'…' if len(text) > _LONGEST else ''}")
    lines = listing(checkpoint)
    rows = [
        Row(
            line.name,
            [
                " × ".join(map(str, line.shape)) or "scalar",
                line.dtype,
                f"{line.count:,}",
                f"{line.entries:,}",
            ],
        )
        for line in lines
    ]
    columns = ["shape", "type", "tensors", "numbers"]
    numbers = ("tensors", "numbers")
    show_fitted("name", columns, rows, numbers=numbers, last=["type", "tensors"])
    total = sum(line.entries for line in lines)
    say(f"{len(checkpoint.tensors):,} tensors of {total:,} numbers")
    for reason, count in Counter(skip.reason for skip in checkpoint.skipped).most_common(_LONGEST):
        say(f"left out: {reason}, {count:,} tensor{'' if count == 1 else 's'}")
    for skip in checkpoint.missing[:_MOST_METADATA]:
        say(f"cannot be read: {skip.parameter}: {skip.reason}")
    if len(checkpoint.missing) > _MOST_METADATA:
        say(f"cannot be read: and {len(checkpoint.missing) - _MOST_METADATA:,} more")
    return INCOMPLETE if checkpoint.missing else 0
