"""A real process that writes runs until it is killed, for the tests that kill.

It imports what is slow once and forks a writer for every line of JSON on its standard input; torch
and NumPy leave no threads behind, and Polars is imported only after the fork. It answers with
lines: ``pid N``, then ``flushed STEP`` after every flush, and ``dead`` when the writer is gone.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from spectrain.core import Record, Source, SpectrumRecord

BLOCKS = ("layer.0.w", "../layer/1")
MEASURES = ("nuclear_rank", "stable_rank", "operator_norm")
WIDTH = 50


def numbers_at(step: int, attempt: int) -> list[Record]:
    """What an attempt writes at a step: recognisable by its count."""
    return [
        Record(step, block, Source.GRADIENT, measure, step / 7, None, attempt)
        for block in BLOCKS
        for measure in MEASURES
    ]


def spectra_at(step: int, attempt: int) -> list[SpectrumRecord]:
    """Likewise, with values that do not compress."""
    values = np.random.default_rng(step).random(WIDTH)
    return [
        SpectrumRecord(step, block, Source.WEIGHT, values, "exact", None, attempt)
        for block in BLOCKS
    ]


def say(line: str) -> None:
    """Answer in one system call, so that a kill leaves the line out or complete."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def write_for_ever(
    path: str, *, attempt: int, start_step: int, disk_budget: int, forks: bool
) -> None:
    """One attempt: three steps a flush, without end."""
    from spectrain.records import RunWriter

    writer = RunWriter(
        path,
        manifest={"config": {"width": WIDTH}},
        start_step=start_step,
        resume=attempt > 1,
        disk_budget=disk_budget,
    )
    if forks and (loader := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    elif forks:
        say(f"loader {loader}")
    for step in itertools.count(start_step):
        writer.write(numbers_at(step, attempt))
        writer.write_spectra(spectra_at(step, attempt))
        if step % 3 == 0:
            writer.flush()
            say(f"flushed {step}")


def serve() -> None:
    """Fork a writer for every line."""
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            write_for_ever(**json.loads(line))
        say(f"pid {pid}")
        os.waitpid(pid, 0)
        say("dead")


@dataclass
class Writer:
    """A writer at work, as the test sees it."""

    pid: int
    answers: IO[str]
    flushed: list[int] = field(default_factory=list)

    def wait_for_flushes(self, count: int) -> None:
        """Return when it has flushed that often."""
        while len(self.flushed) < count:
            self._listen()

    def kill(self) -> None:
        """SIGKILL; then everything that it had said is known."""
        os.kill(self.pid, signal.SIGKILL)
        while self._listen():
            pass

    def _listen(self) -> bool:
        word, _, number = self.answers.readline().strip().partition(" ")
        assert word in {"flushed", "dead"}, "the writer failed"
        if word == "flushed":
            self.flushed.append(int(number))
        return word == "flushed"


class Nursery:
    """Starts writers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._answers = process.stdin, process.stdout
        self.loaders: list[int] = []

    def start(
        self,
        path: Path,
        *,
        attempt: int = 1,
        start_step: int = 0,
        disk_budget: int = 1 << 30,
        forks: bool = False,
    ) -> Writer:
        """Fork a writer; with ``forks`` it forks a process of its own that outlives it."""
        request: dict[str, Any] = {
            "path": str(path),
            "attempt": attempt,
            "start_step": start_step,
            "disk_budget": disk_budget,
            "forks": forks,
        }
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        pid = int(self._answers.readline().removeprefix("pid "))
        if forks:
            self.loaders.append(int(self._answers.readline().removeprefix("loader ")))
        return Writer(pid, self._answers)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """The process that starts writers, for as long as a test module needs it."""
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        started = Nursery(process)
        try:
            yield started
        finally:
            process.stdin.close()
            for loader in started.loaders:
                os.kill(loader, signal.SIGKILL)


if __name__ == "__main__":
    serve()
