"""Which folder a new run gets: one that holds a run already is left alone."""

from __future__ import annotations

import warnings
from itertools import count
from pathlib import Path

from spectrain.core import MonitorWarning
from spectrain.monitor.holdings import Holdings
from spectrain.records.layout import MANIFEST


def fresh(path: Path, holdings: Holdings) -> Path:
    """The path itself, or ``path-2``, ``path-3``, … where it holds a run, with a warning.

    All processes take the same one: the largest number that any of them found, since none writes
    before all have looked.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fresh(Path(folder, "mine"), Holdings()).name
        'mine'
    """
    own = next(number for number in count(1) if not _holds_run(_numbered(path, number)))
    (number,) = holdings.slowest([float(own)])
    chosen = _numbered(path, int(number))
    if chosen != path and holdings.rank == 0:
        warnings.warn(
            f"spectrain: {path} holds a run already, so this one is written into {chosen}; pass "
            "resume=True and start_step to go on with the old one",
            MonitorWarning,
            stacklevel=3,
        )
    return chosen


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.name}-{number}")


def _holds_run(path: Path) -> bool:
    return (path / MANIFEST).exists()
