"""Which files and folders of a folder may be checkpoints, and which are parts of one."""

from __future__ import annotations

import re
from pathlib import Path

from spectrain.checkpoint.beside import beside_the_model
from spectrain.checkpoint.readers.torch_distributed import TABLE

SUFFIXES = frozenset({".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf"})

_BESIDE = re.compile(
    r"(optim|scheduler|training_args|rng_state|scaler|random_states|dist(rib)?_optim)", re.ASCII
)
_PART = re.compile(
    r".*-\d{5}-of-\d{5}|consolidated\.\d\d|(?:.*[-_.])?(?:mp|tp|pp|ep|dp|model_parallel|tensor|"
    r"pipeline|pipe|stage|shard|part|split|slice|rank|worker|proc|chunk)s?"
    r"(?:[-_]?rank)?[-_.]?\d+(?:[-_.].*)?|layer_\d+-model.*",
    re.I | re.ASCII | re.DOTALL,
)
_DEPTH = 4


def is_part(name: str) -> bool:
    """Whether a name is that of a part of a checkpoint: a shard, a rank's slice.

    Example:
        >>> [is_part(name) for name in ("mp_rank_00", "model-00001-of-00002", "step_100")]
        [True, True, False]
    """
    return _PART.fullmatch(name) is not None


def candidates(folder: Path) -> list[Path]:
    """The files and folders in a folder that may be checkpoints of one run, by name."""
    entries = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name != "__pycache__" and not entry.name.startswith("."):
                entries.append(entry)
        elif entry.is_file() and entry.suffix in SUFFIXES and not _BESIDE.match(entry.name):
            entries.append(entry)
    return entries


def holds_checkpoint(folder: Path, depth: int = _DEPTH) -> bool:
    """Whether a checkpoint lies in a folder or somewhere below it."""
    if (folder / TABLE).is_file():
        return True
    below = candidates(folder)
    if any(path.is_file() for path in below):
        return True
    return depth > 0 and any(
        holds_checkpoint(path, depth - 1) for path in below if not path.is_symlink()
    )


def inner_folders(folder: Path) -> list[Path]:
    """The folders inside that hold checkpoints of a model, not of what lies beside one."""
    return [
        path
        for path in candidates(folder)
        if path.is_dir()
        and not beside_the_model([re.sub(r"_\d+$", "", path.name)])
        and not _BESIDE.match(path.name)
        and holds_checkpoint(path)
    ]
