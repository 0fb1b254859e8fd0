"""Reading ranges of a file that was opened before and must not have changed since."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrain.core import InputError

_BINARY = getattr(os, "O_BINARY", 0)  # Windows


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when its header was read.

    Ranges are read, not mapped: the pages of a mapping count as memory for as long as it lives, and
    a file that is cut short under a mapping kills the process.

    Attributes:
        path: where it is.
        size: in bytes.
        identity: device, inode and time of the last change.
    """

    path: Path
    size: int
    identity: tuple[int, int, int]

    @classmethod
    def at(cls, path: Path) -> SourceFile:
        """Take note of the file.

        Raises:
            InputError: it does not exist, may not be read, or is not an ordinary file.
        """
        with open_ordinary(path) as file:
            status = os.fstat(file.fileno())
        return cls(path, status.st_size, _identity(status))

    def read(self, offset: int, length: int) -> Tensor:
        """The bytes from ``offset`` on, as uint8.

        Raises:
            InputError: the range lies outside the file, or the file is not what it was.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(
                f"{self.path.name!r} has {self.size} bytes, and its header refers to those from "
                f"{offset} to {offset + length}",
                remedy="the file is cut short or damaged: fetch it again",
            )
        buffer = torch.empty(length, dtype=torch.uint8)
        with open_ordinary(self.path) as file:
            self._check(file.fileno())
            file.seek(offset)
            target, filled = buffer.numpy().data, 0
            while filled < length and (count := file.readinto(target[filled:])):
                filled += count
            self._check(file.fileno())
        if filled < length:
            raise self._changed()
        return buffer

    def tensor(self, offset: int, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
        """A dense tensor that starts at ``offset``."""
        return self.read(offset, prod(shape) * dtype.itemsize).view(dtype).reshape(tuple(shape))

    def _check(self, descriptor: int) -> None:
        if _identity(os.fstat(descriptor)) != self.identity:
            raise self._changed()

    def _changed(self) -> InputError:
        return InputError(
            f"{self.path.name!r} changed while it was read",
            remedy="inspect it again once nothing writes to it",
        )


def open_ordinary(path: Path) -> FileIO:
    """Open an ordinary file for reading, unbuffered.

    Opening a named pipe would wait for its writer, and a device may do anything: neither is opened
    for longer than it takes to see what it is.

    Raises:
        InputError: it does not exist, may not be read, or is a folder, pipe, socket or device.

    Example:
        >>> open_ordinary(Path("/dev/null"))
        Traceback (most recent call last):
        spectrain.core.errors.InputError: '/dev/null' is no ordinary file; pass a file
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{str(path)!r} cannot be read: {reason}", remedy="check the path and its rights"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{str(path)!r} is no ordinary file", remedy="pass a file")
    return FileIO(descriptor, "rb")


def read_json(path: Path, most: int = 1_000_000) -> Any:
    """A small JSON file, as data.

    Raises:
        InputError: it cannot be read, has more than ``most`` bytes, or is no JSON.
    """
    try:
        with open_ordinary(path) as file:
            text = file.read(most + 1)
        if len(text) > most:
            raise ValueError(f"more than {most} bytes")
        return json.loads(text)
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name!r} cannot be read ({error})", remedy="fetch it again, or remove it"
        ) from None


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns
