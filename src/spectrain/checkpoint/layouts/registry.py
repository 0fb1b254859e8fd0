"""The layouts of folders, each registered by the file that knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError

Open = Callable[[Path], Checkpoint]
"""Opens what lies in a folder, be it a file or a folder."""

Layout = Callable[[Path, Open], Checkpoint | None]
"""Opens a folder; ``None`` where it is of another layout."""

LAYOUTS: dict[str, Layout] = {}
"""By name; the first that knows a folder opens it."""


def layout(name: str) -> Callable[[Layout], Layout]:
    """Decorator: register what opens folders of one layout.

    Raises:
        InputError: there is one of this name already.
    """

    def add(open_folder: Layout) -> Layout:
        if name in LAYOUTS:
            raise InputError(f"layout {name!r} is registered twice", remedy="rename one")
        LAYOUTS[name] = open_folder
        return open_folder

    return add
