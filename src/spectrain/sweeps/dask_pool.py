"""Tasks as those of Dask itself: joblib runs them in the caller where a cluster has one worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from importlib import import_module
from typing import Any, TypeVar

from spectrain.core import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_with_dask(
    function: Callable[[int, Item], Result], items: Sequence[Item]
) -> Iterator[Result]:
    """``function(number, item)`` of every item, as they end, on all workers of the cluster.

    Dask itself tries an item again where a worker dies, on up to three others.

    Raises:
        InputError: there is no cluster.
        BrokenExecutor: at the end, if an item was given up.
    """
    distributed: Any = import_module("distributed")
    try:
        client = distributed.get_client()
    except ValueError as error:
        raise InputError(
            "there is no Dask cluster",
            remedy="make a distributed.Client before, or set DASK_SCHEDULER_ADDRESS",
        ) from error
    executor = client.get_executor(pure=False)
    futures = [executor.submit(function, *one) for one in enumerate(items)]
    lost: Exception | None = None
    for future in as_completed(futures):
        try:
            yield future.result()
        except distributed.KilledWorker as error:
            lost = error
    if lost is not None:
        raise BrokenExecutor(str(lost)) from lost
