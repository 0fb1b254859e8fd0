"""The formats of single files, each registered by the file that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError

Read = Callable[[Path], Checkpoint]


@dataclass(frozen=True, slots=True)
class Reader:
    """One format.

    Attributes:
        name: of the format.
        recognises: whether a file is of it, from its path and first bytes.
        read: opens one; raises :class:`~spectrain.core.InputError` where it is damaged.
    """

    name: str
    recognises: Callable[[Path, bytes], bool]
    read: Read


READERS: dict[str, Reader] = {}
"""By name; the first that recognises a file reads it."""

HEAD = 4096
"""Number of bytes that are shown to ``recognises``."""


def reader(name: str, *, recognises: Callable[[Path, bytes], bool]) -> Callable[[Read], Read]:
    """Decorator: register what opens the files of a format.

    Raises:
        InputError: there is one of this name already.
    """

    def add(read: Read) -> Read:
        if name in READERS:
            raise InputError(f"reader {name!r} is registered twice", remedy="rename one")
        READERS[name] = Reader(name, recognises, read)
        return read

    return add
