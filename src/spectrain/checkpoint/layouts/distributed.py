"""A folder of ``torch.distributed.checkpoint``: torchtitan, FSDP, Megatron's ``torch_dist``."""

from __future__ import annotations

from pathlib import Path

from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.readers.torch_distributed import TABLE, read_torch_distributed
from spectrain.checkpoint.stored import Checkpoint


@layout("torch distributed")
def open_distributed(folder: Path, _: Open) -> Checkpoint | None:
    """The folder of a table ``.metadata``."""
    return read_torch_distributed(folder) if (folder / TABLE).is_file() else None
