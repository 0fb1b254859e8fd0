"""Runs that nobody closed: finished when the interpreter exits, with a warning."""

from __future__ import annotations

import atexit
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable
from weakref import WeakSet, finalize

from spectrain.core import MonitorWarning


@runtime_checkable
class Open(Protocol):
    """What is to be closed."""

    path: Path

    def close(self, error: BaseException | None = None) -> None:
        """Finish; nothing where it is finished."""

    @property
    def is_open(self) -> bool:
        """Whether it still is to be closed."""


_OPEN: WeakSet[Open] = WeakSet()


def keep_open(run: Open, abandon: Callable[[], None]) -> None:
    """Remember a run without keeping it alive: its hooks do that as long as the model lives.

    Args:
        run: to be closed at the end of the program.
        abandon: puts its records on disk where it dies before; must not hold the run.
    """
    _OPEN.add(run)
    finalize(run, abandon).atexit = False


@atexit.register
def close_all() -> None:
    """Close what is open, as failed where the program ended with an exception."""
    for run in [run for run in _OPEN if run.is_open]:
        run.close(getattr(sys, "last_value", None))
        warnings.warn(
            f"spectrain: nobody closed {run.path}, so it was closed as the program ended; use "
            "`with spectrain.watch(...) as run:`, or run.close()",
            MonitorWarning,
            stacklevel=2,
        )
