"""Attempts: every start of a rank on a run folder is one, and later ones replace what they repeat.

A run that was killed at step 900 and resumed from its checkpoint at step 800 has two attempts; of
the first one only the steps before 800 count, once the second has written anything at all.
"""

from __future__ import annotations

import json
import os
import re
import sys
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from spectrain.core import RunError
from spectrain.records.layout import write_whole
from spectrain.records.manifest import now, to_json

if sys.platform != "win32":
    import fcntl

_NAME = re.compile(r"rank-(\d{5,})-attempt-(\d{4,})\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One writer's life.

    Attributes:
        rank: the process's rank.
        number: counted from 1 within the rank.
        start_step: steps from here on that earlier attempts wrote are replaced by this one's.
        started_at: time in UTC.
        finished_at: time in UTC; ``None`` while it runs, and for ever if it was killed.
        summary: what watching cost; empty before the end.
        thinned: table → every how many samples one is kept for the disk budget; 0 keeps none.
    """

    rank: int
    number: int
    start_step: int
    started_at: str
    finished_at: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    thinned: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the attempt's file."""
        return f"rank-{self.rank:05d}-attempt-{self.number:04d}.json"

    def save(self, folder: Path) -> None:
        """Write the attempt's file, in one step."""
        write_whole(folder / self.name, to_json(asdict(self)), durable=True)


def attempt_names(folder: Path) -> dict[tuple[int, int], str]:
    """(rank, number) of every attempt in the folder, in order, with the name of its file."""
    names = os.listdir(folder) if folder.is_dir() else []
    names_by_attempt = {
        (int(match[1]), int(match[2])): name for name in names if (match := _NAME.fullmatch(name))
    }
    return dict(sorted(names_by_attempt.items()))


def load_attempt(file: Path) -> Attempt | None:
    """Read an attempt's file; ``None`` where it is damaged."""
    try:
        fields = json.loads(file.read_bytes())
        return Attempt(**{**fields, "start_step": int(fields["start_step"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def replaced_from(start_steps: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], int | None]:
    """For every attempt the first step that a later attempt of its rank replaces, if there is one.

    Args:
        start_steps: (rank, number) → start step, of the attempts that wrote anything.

    Example:
        >>> replaced_from({(0, 1): 0, (0, 2): 800, (0, 3): 500})
        {(0, 3): None, (0, 2): 500, (0, 1): 500}
    """
    ends: dict[tuple[int, int], int | None] = {}
    lowest: dict[int, int] = {}
    for rank, number in sorted(start_steps, reverse=True):
        ends[rank, number] = lowest.get(rank)
        start = start_steps[rank, number]
        lowest[rank] = min(start, lowest.get(rank, start))
    return ends


def claim_attempt(folder: Path, *, rank: int, start_step: int) -> Attempt:
    """Begin the next attempt of a rank.

    Raises:
        RunError: another writer of this rank claimed the same number at this moment.
    """
    number = 1 + max((n for r, n in attempt_names(folder) if r == rank), default=0)
    attempt = Attempt(rank, number, start_step, started_at=now())
    try:
        (folder / attempt.name).open("x").close()
    except FileExistsError:
        raise _second_writer(folder, rank) from None
    attempt.save(folder)
    return attempt


def lock_rank(folder: Path, *, rank: int) -> IO[bytes]:
    """Keep other writers of the rank away until the returned file is closed or the process ends.

    Where the file system or the platform has no such locks, nothing is locked.

    Raises:
        RunError: another writer of this rank is alive.
    """
    lock = (folder / f"rank-{rank:05d}.lock").open("ab")
    if sys.platform != "win32":
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise _second_writer(folder, rank) from None
        except OSError:
            return lock
        _keep_out_of_forks(lock)
    return lock


def is_at_work(folder: Path, *, rank: int) -> bool | None:
    """Whether a writer of the rank is alive; ``None`` where that cannot be determined."""
    file = folder / f"rank-{rank:05d}.lock"
    if sys.platform == "win32" or not file.exists():
        return None
    try:
        with file.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def _keep_out_of_forks(lock: IO[bytes]) -> None:
    """Close the lock in forked processes: a data loader may outlive the run that was killed."""
    alive = weakref.ref(lock)

    def close_copy() -> None:
        if copy := alive():
            copy.close()

    os.register_at_fork(after_in_child=close_copy)


def _second_writer(folder: Path, rank: int) -> RunError:
    return RunError(
        f"another writer is at work on rank {rank} of {folder.parent}",
        remedy="close it or wait until its process ends, or write into another folder",
    )
