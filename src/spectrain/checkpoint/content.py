"""What there is to measure in a checkpoint: its blocks, and why the rest holds none."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import Block, Skipped
from spectrain.network import blocks_from_shapes


@dataclass(frozen=True, slots=True)
class Content:
    """A checkpoint with its blocks.

    Attributes:
        checkpoint: the source.
        blocks: in the order of the tensors.
        skipped: tensors that hold no block, each with its reason.
        missing: weights that cannot be read, each with its reason: the answer lacks them.
    """

    checkpoint: Checkpoint
    blocks: tuple[Block, ...]
    skipped: tuple[Skipped, ...]
    missing: tuple[Skipped, ...]

    @property
    def vectors(self) -> list[Stored]:
        """Tensors of the model that hold numbers and no block: biases, scales, buffers."""
        held = {block.parameter for block in self.blocks}
        return [t for t in self.checkpoint.tensors if "float" in t.dtype and t.name not in held]

    @property
    def step(self) -> int:
        """The step of its records; 0 where it is not known."""
        return self.checkpoint.step or 0

    def tasks(self) -> list[tuple[Stored, tuple[Block, ...]]]:
        """Every tensor that holds blocks, with these."""
        held: dict[str, list[Block]] = defaultdict(list)
        for block in self.blocks:
            held[block.parameter].append(block)
        return [(t, tuple(held[t.name])) for t in self.checkpoint.tensors if t.name in held]


def content_of(checkpoint: Checkpoint) -> Content:
    """Find the blocks of a checkpoint from the names and shapes of its tensors.

    Example:
        >>> import torch
        >>> from pathlib import Path
        >>> stored = Stored("h.0.mlp.fc1.weight", (8, 2), "float32", lambda: torch.ones(8, 2))
        >>> content = content_of(Checkpoint(Path("m"), "test", (stored,)))
        >>> [(block.name, block.depth) for block in content.blocks]
        [('h.0.mlp.fc1.weight', 0)]
    """
    weights, skipped, missing = [], list(checkpoint.skipped), list(checkpoint.missing)
    for tensor in checkpoint.tensors:
        if "float" in tensor.dtype or tensor.note is not None:
            weights.append(tensor)
        elif tensor.dtype.startswith("complex"):
            missing.append(Skipped(tensor.name, f"{tensor.dtype} numbers, which are not read yet"))
        else:
            skipped.append(Skipped(tensor.name, f"{tensor.dtype} numbers, no weights"))
    shapes = ((tensor.name, tensor.shape) for tensor in weights)
    network = blocks_from_shapes(shapes, config=checkpoint.config)
    return Content(checkpoint, network.blocks, (*skipped, *network.skipped), tuple(missing))


def union_of_blocks(contents: Iterable[Content]) -> tuple[Block, ...]:
    """The blocks of several checkpoints of one run; the first that has a name describes it."""
    blocks: dict[str, Block] = {}
    for content in contents:
        for block in content.blocks:
            blocks.setdefault(block.name, block)
    return tuple(blocks.values())


def fingerprint(contents: Sequence[Content], settings: Sequence[object]) -> str:
    """Digest of what is inspected and how: equal where one run may go on with another's records."""
    digest = hashlib.sha256(json.dumps([str(item) for item in settings]).encode())
    for content in contents:
        facts: list[object] = [content.checkpoint.format, content.step]
        facts.append(dict(content.checkpoint.config))
        facts += [[t.name, list(t.shape), t.dtype, t.note] for t in content.checkpoint.tensors]
        facts += _files(content)
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def _files(content: Content) -> list[object]:
    path = content.checkpoint.path
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> list[object]:
    """Name, size and time of a file; its name alone once it is gone."""
    try:
        status = file.stat()
    except OSError:
        return [file.name]
    return [file.name, status.st_size, status.st_mtime_ns]
