"""A disk that is full, a file that may not grow, a folder that cannot be written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from functools import partial
from pathlib import Path

from campaigns.hardships.kills import SLOW, rows_of, sound
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import ended, logged, start, unwatched, watched


def unhurt(trouble: Trouble, path: Path, log: Path, steps: int, case: object) -> None:
    """That a training went to its end, bit by bit as unwatched, and that its folder reads."""
    same = [mark for _, mark in logged(log)] == unwatched(steps)
    trouble.found.check("training goes on to its end, bit-identical", same, case)
    if path.exists():
        sound(trouble.found, path, rows_of(path), case)


def _fill(disk: Path, at: int, number: int) -> None:
    """Before step ``at``, take all that is left on the disk."""
    if number == at:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with (disk / "ballast").open("wb") as ballast:
            ballast.write(bytes(max(0, free - 4096)))


@hardship("disk full")
def disk_full(trouble: Trouble) -> None:
    for number in range(trouble.times(20)):
        disk, log = trouble.folder / f"disk-{number}", trouble.folder / f"log-{number}"
        disk.mkdir()
        size = trouble.chance.choice((64, 256, 2048))
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True).returncode:
            trouble.found.check("a tmpfs can be mounted, which needs root", False)
            return
        try:
            fill = partial(_fill, disk, trouble.chance.randrange(100))
            work = partial(watched, disk / "run", log, steps=100, before=fill)
            child = start(work, trouble.folder / "errors")
            trouble.found.check("the process ends well", ended(child, SLOW), number)
            unhurt(trouble, disk / "run", log, 100, f"{size} KiB")
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def _with_limit(size: int, path: Path, log: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    watched(path, log, steps=100)


@hardship("files that may not grow")
def _file_limit(trouble: Trouble) -> None:
    for number in range(trouble.times(10)):
        path, log = trouble.folder / f"run-{number}", trouble.folder / f"log-{number}"
        size = trouble.chance.randrange(8_000, 60_000)  # the log of a training has 3 kB
        child = start(partial(_with_limit, size, path, log), trouble.folder / "errors")
        trouble.found.check("the process ends well", ended(child, SLOW), number)
        unhurt(trouble, path, log, 100, f"{size} bytes")


def _freeze(path: Path, at: int, number: int) -> None:
    """Before step ``at``, let no folder of the run take another file, not even from root."""
    if number == at:
        folders = [path, *(one for one in path.rglob("*") if one.is_dir())]
        subprocess.run(["chattr", "+i", *map(str, folders)], check=True)


@hardship("folder becomes read-only")
def read_only(trouble: Trouble) -> None:
    probe = trouble.folder / "probe"
    probe.mkdir()
    if subprocess.run(["chattr", "+i", str(probe)], capture_output=True).returncode:
        trouble.found.check("a folder can be made immutable, which needs root", False)
        return
    subprocess.run(["chattr", "-i", str(probe)], check=True)
    for number in range(trouble.times(6)):
        path, log = trouble.folder / f"run-{number}", trouble.folder / f"log-{number}"
        freeze = partial(_freeze, path, trouble.chance.randrange(1, 100))
        child = start(
            partial(watched, path, log, steps=100, before=freeze), trouble.folder / "errors"
        )
        well = ended(child, SLOW)
        subprocess.run(["chattr", "-R", "-i", str(path)], check=True)
        trouble.found.check("the process ends well", well, number)
        unhurt(trouble, path, log, 100, number)


def _refused(path: Path, answer: Path) -> None:
    from spectrain.core import SpectrainError

    try:
        watched(path, answer.with_suffix(".log"), steps=2)
    except SpectrainError as error:
        answer.write_text(str(error), "utf-8")


@hardship("folder that cannot be made")
def unwritable(trouble: Trouble) -> None:
    (trouble.folder / "file").write_text("not a folder", "utf-8")
    for number, path in enumerate((trouble.folder / "file/run", Path("/proc/spectrain/run"))):
        answer = trouble.folder / f"answer-{number}"
        child = start(partial(_refused, path, answer), trouble.folder / "errors")
        trouble.found.check("the process ends well", ended(child, SLOW), path)
        said = answer.read_text("utf-8") if answer.exists() else ""
        trouble.found.check(
            "watching is refused in words that name the folder", path.name in said, said
        )
