"""The configuration beside a checkpoint: how many heads and experts, which architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectrain.checkpoint.files import read_json
from spectrain.core import InputError

_NAMES = ("config.json", "params.json")
_MAX = 10_000_000


def read_config(path: Path) -> dict[str, Any]:
    """The configuration in the folder of a checkpoint; empty where none can be read.

    It says how fused projections are laid out; without it they stay whole, with the reason.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "config.json").write_text('{"num_attention_heads": 4}')
        ...     read_config(Path(folder))
        {'num_attention_heads': 4}
    """
    folder = path if path.is_dir() else path.parent
    for name in _NAMES:
        if (folder / name).is_file():
            try:
                config = read_json(folder / name, _MAX)
            except InputError:
                return {}
            return config if isinstance(config, dict) else {}
    return {}
