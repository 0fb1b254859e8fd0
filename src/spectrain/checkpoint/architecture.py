"""The configuration beside a checkpoint: how many heads and experts, which architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_NAMES = ("config.json", "params.json")
_MAX = 1_000_000


def read_config(path: Path) -> dict[str, Any]:
    """The configuration in the folder of a checkpoint; empty where none can be read.

    It tells how fused projections are laid out; without it they stay whole, with the reason.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "config.json").write_text('{"num_attention_heads": 4}')
        ...     read_config(Path(folder))
        {'num_attention_heads': 4}
    """
    folder = path if path.is_dir() else path.parent
    for name in _NAMES:
        file = folder / name
        try:
            if file.is_file():
                with file.open("rb") as stream:
                    found = json.loads(stream.read(_MAX))
                return found if isinstance(found, dict) else {}
        except (OSError, ValueError, RecursionError):
            return {}
    return {}
