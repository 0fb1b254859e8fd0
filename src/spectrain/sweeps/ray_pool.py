"""Tasks as those of Ray itself: joblib's Ray back end gives no results before all have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_with_ray(
    function: Callable[[int, Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """``function(number, item)`` of every item, as they end, a limited number at a time.

    The Ray that the caller has connected to is used, else one on this machine. Where a worker dies,
    the other items still run.

    Raises:
        BrokenExecutor: at the end, if items were lost with their workers.
    """
    ray: Any = import_module("ray")
    remote = ray.remote(num_cpus=1, max_retries=0)(function)
    rest = enumerate(items)
    running = [remote.remote(*one) for one in islice(rest, workers)]
    lost: Exception | None = None
    while running:
        (ended,), running = ray.wait(running)
        try:
            yield ray.get(ended)
        except ray.exceptions.RayError as error:
            lost = error
        running += [remote.remote(*one) for one in islice(rest, 1)]
    if lost is not None:
        raise BrokenExecutor(str(lost)) from lost
