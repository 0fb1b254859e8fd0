"""What a piece of work leaves behind: named arrays and numbers in one ``.npz`` file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spectrain.core import RunError
from spectrain.records.layout import write_whole

Outcome = Mapping[str, Any]
"""Names to NumPy arrays, numbers, booleans or strings (sequences of them become arrays)."""


def write_outcome(file: Path, outcome: Outcome) -> None:
    """Put an outcome on disk, whole or not at all.

    Raises:
        RunError: a value is neither numeric nor text.
    """
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in outcome.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcUS":
            raise RunError(
                f"the outcome {name!r} is {type(outcome[name]).__name__}, which cannot be stored",
                remedy="return arrays, numbers, booleans or strings",
            )
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, buffer.getvalue(), durable=True)


def read_outcome(file: Path) -> dict[str, Any]:
    """Read an outcome back; arrays of no dimension become Python's own numbers and strings.

    Raises:
        RunError: the file is damaged or holds anything but plain arrays.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise RunError(
            f"{file} is not an outcome of a sweep: {error}", remedy="delete it and run again"
        ) from error
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}
