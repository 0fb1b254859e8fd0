"""Workers that fork or spawn out of a watched training, and many runs open at once."""

from __future__ import annotations

import resource
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from campaigns.hardships.disks import unhurt
from campaigns.hardships.kills import SLOW
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import ended, make, start, step, watched


def _load(method: str, number: int) -> None:
    """Every twentieth step, read an epoch through two workers."""
    if number % 20 == 0:
        data = TensorDataset(torch.zeros(8, 2))
        loader = DataLoader(data, num_workers=2, multiprocessing_context=method)
        assert sum(1 for _ in loader) == 8


@hardship("workers of a data loader")
def workers(trouble: Trouble) -> None:
    for number in range(trouble.times(4)):
        for method in ("fork", "spawn"):
            path, log = (
                trouble.folder / f"{method}-{number}",
                trouble.folder / f"log-{method}-{number}",
            )
            work = partial(watched, path, log, steps=40, before=partial(_load, method))
            child = start(work, trouble.folder / "errors")
            trouble.found.check(f"the process ends well with {method}", ended(child, SLOW), number)
            unhurt(trouble, path, log, 40, method)


def _open_many(folder: Path, count: int) -> None:
    """Watch so many trainings at once, in turns."""
    import spectrain

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * count + 200)), hard))
    trainings = [make() for _ in range(count)]
    watches = [
        spectrain.watch(model, optimizer, folder / f"run-{number}", every=1)
        for number, (model, optimizer, _) in enumerate(trainings)
    ]
    for watch in watches:
        watch.__enter__()
    for _ in range(3):
        for training in trainings:
            step(*training)
    for watch in watches:
        watch.__exit__(None, None, None)


@hardship("many open runs")
def many_runs(trouble: Trouble) -> None:
    from spectrain.records import open_run

    count = trouble.times(1000)
    child = start(partial(_open_many, trouble.folder, count), trouble.folder / "errors")
    trouble.found.check("the process ends well", ended(child, 4 * SLOW), count)
    for number in range(count):
        run = open_run(trouble.folder / f"run-{number}")
        trouble.found.check(
            "each of the runs has finished and reads", run.summary["finished"], number
        )
