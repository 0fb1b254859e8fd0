"""Run tasks over processes: done ones are read, failed ones reported, killed ones tried again."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any

from spectrain.core import InputError, RunError
from spectrain.sweeps.dask_pool import run_with_dask
from spectrain.sweeps.outcome import read_outcome, write_outcome
from spectrain.sweeps.ray_pool import run_with_ray
from spectrain.sweeps.task import Task

SECONDS = "seconds"
"""Name under which the time that a task took is kept beside its outcome."""


@dataclass(frozen=True, slots=True)
class Done:
    """A task that was run, now or earlier.

    Attributes:
        task: the task.
        outcome: what it returned; ``None`` where it failed.
        seconds: how long it took.
        problem: why it failed.
    """

    task: Task
    outcome: dict[str, Any] | None
    seconds: float = 0.0
    problem: str | None = None


def run_tasks(
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    backend: str = "loky",
    advance: Callable[[], None] = lambda: None,
) -> list[Done]:
    """Run what has not been done yet, each task with one thread, and return all in order.

    An exception fails its task alone. A worker process that is killed (out of memory, say) costs
    the tasks it was running, which are tried again; a task that kills its process even when it runs
    alone has failed.

    Args:
        tasks: independent of each other.
        workers: processes; 1 runs the tasks here.
        backend: ``"loky"`` for processes on this machine, ``"ray"`` or ``"dask"`` for a cluster
            that the caller has connected to, or another of joblib's.
        advance: called as each task ends.

    Raises:
        InputError: ``workers`` is not positive, or the back end is not there.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}", remedy="pass 1 or more")
    pending = [task for task in tasks if not task.file.exists()]
    for _ in range(len(tasks) - len(pending)):
        advance()
    problems: dict[int, str] = {}
    if workers == 1:
        for task in pending:
            _note(problems, task, _attempt(task))
            advance()
    else:
        _run_in_processes(pending, workers, backend, advance, problems)
    return [_done(task, problems.get(id(task))) for task in tasks]


def _run_in_processes(
    pending: Sequence[Task],
    workers: int,
    backend: str,
    advance: Callable[[], None],
    problems: dict[int, str],
) -> None:
    left, alone = list(pending), False
    while left:
        before = len(left)
        for group in [[task] for task in left] if alone else [left]:
            try:
                for index, problem in _pool(group, workers, backend):
                    _note(problems, group[index], problem)
                    advance()
            except BrokenExecutor as error:
                if alone:
                    problems[id(group[0])] = f"no worker could run it: {str(error).splitlines()[0]}"
                    advance()
        left = [task for task in left if not (task.file.exists() or id(task) in problems)]
        alone = len(left) == before


def _pool(tasks: Sequence[Task], workers: int, backend: str) -> Iterator[tuple[int, str | None]]:
    from joblib import Parallel, delayed, parallel_config

    _require(backend)
    if backend == "ray":
        yield from run_with_ray(_numbered, tasks, workers)
        return
    if backend == "dask":
        yield from run_with_dask(_numbered, tasks)
        return
    with parallel_config(backend=backend, n_jobs=workers):
        run = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
        yield from run(delayed(_numbered)(number, task) for number, task in enumerate(tasks))


def _require(backend: str) -> None:
    """That the package behind a back end is there."""
    package = {"ray": "ray", "dask": "distributed"}.get(backend)
    try:
        if package is not None:
            import_module(package)
    except ImportError as error:
        raise InputError(
            f"the back end {backend!r} is not installed", remedy=f"pip install {package}"
        ) from error


def _numbered(number: int, task: Task) -> tuple[int, str | None]:
    return number, _attempt(task)


def _attempt(task: Task) -> str | None:
    """Run one task and store its outcome; return what went wrong."""
    start = perf_counter()
    try:
        with _one_thread():
            outcome = task.function(task.case)
        write_outcome(task.file, {**outcome, SECONDS: perf_counter() - start})
    except Exception as error:  # one task's failure is reported, and costs no other task
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
    return None


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread a task, whatever the number of workers: the outcome is the same."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _note(problems: dict[int, str], task: Task, problem: str | None) -> None:
    if problem is not None:
        problems[id(task)] = problem


def _done(task: Task, problem: str | None) -> Done:
    if problem is not None:
        return Done(task, None, problem=problem)
    try:
        outcome = read_outcome(task.file)
    except RunError as error:
        return Done(task, None, problem=str(error))
    return Done(task, outcome, seconds=float(outcome.pop(SECONDS, 0.0)))
