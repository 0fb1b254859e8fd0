"""Tasks in, a run folder out: one matrix per worker at a time, resumable after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from spectrain.checkpoint.measure import Measured
from spectrain.checkpoint.resume import MARK, Done, read_done
from spectrain.records import Run, RunWriter, open_run

FLUSH_SECONDS = 10.0
"""Records are handed to disk at least this often, so that a kill loses no more."""

Follow = Callable[[Iterator[Measured], int], Iterator[Measured]]
"""Passes on the results that it is given, knowing their number: for a progress bar."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work on one stored tensor, done when it is called for.

    Attributes:
        step: of its records.
        blocks: names of the blocks that it measures.
        work: reads and measures; does not raise.
    """

    step: int
    blocks: tuple[str, ...]
    work: Callable[[], Measured]


def stream(
    folder: Path,
    tasks: Sequence[Task],
    *,
    mark: str,
    manifest: Mapping[str, Any],
    workers: int = 1,
    follow: Follow | None = None,
) -> Run:
    """Do all tasks and keep their records; go on where an earlier call with one ``mark`` ended.

    Args:
        folder: run folder for the records.
        tasks: by step.
        mark: fingerprint of what is measured.
        manifest: what the run is.
        workers: threads; they share the cores that torch may use.
        follow: shows progress.

    Raises:
        InputError: the folder holds something else.
    """
    done = read_done(folder, mark)
    left = [task for task in tasks if any((task.step, b) not in done.blocks for b in task.blocks)]
    if left or not done.exists:
        config = {**manifest["config"], MARK: mark, "threads": _threads_each(workers)}
        with _mapping(workers) as run_all:
            results: Iterator[Measured] = run_all(_work, left)
            results = follow(results, len(left)) if follow else results
            _write(folder, {**manifest, "config": config}, left, done, results)
    return open_run(folder)


def _work(task: Task) -> Measured:
    return task.work()


def _threads_each(workers: int) -> int:
    """Threads of torch that work on one matrix."""
    return max(1, torch.get_num_threads() // workers)


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Iterator[Measured]]]:
    """A lazy ``map``, over threads where there are several."""
    if workers == 1:
        yield map
        return
    threads, share = torch.get_num_threads(), (_threads_each(workers),)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=share) as pool:
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)


def _write(
    path: Path,
    manifest: Mapping[str, Any],
    tasks: Sequence[Task],
    done: Done,
    results: Iterator[Measured],
) -> None:
    first = min((task.step for task in tasks), default=0)
    writer = RunWriter(path, manifest=manifest, start_step=first, resume=done.exists)
    start = last_flush = perf_counter()
    finished = False
    try:
        writer.write([record for record in done.records if record.step >= first])
        writer.write_spectra([record for record in done.spectra if record.step >= first])
        writer.flush()
        for measured in results:
            writer.write(measured.records)
            writer.write_spectra(measured.spectra)
            if (now := perf_counter()) - last_flush > FLUSH_SECONDS:
                writer.flush()
                last_flush = now
        finished = True
    finally:
        writer.close({"seconds": perf_counter() - start, "finished": finished})
