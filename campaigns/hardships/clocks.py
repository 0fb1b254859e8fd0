"""A clock that jumps by hours, forwards and backwards."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from campaigns.hardships.disks import unhurt
from campaigns.hardships.kills import SLOW
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import ended, start, watched


def _jumping(path: Path, log: Path, seed: int) -> None:
    """Train while the wall clock is somewhere else at every step; monotonic clocks go on."""
    import random

    chance, true = random.Random(seed), time.time
    shift = [0.0]

    def jump(number: int) -> None:
        shift[0] = chance.uniform(-86_400.0, 86_400.0)

    time.time = lambda: true() + shift[0]
    watched(path, log, steps=100, before=jump)


@hardship("clock jumps")
def clock_jumps(trouble: Trouble) -> None:
    for number in range(trouble.times(10)):
        path, log = trouble.folder / f"run-{number}", trouble.folder / f"log-{number}"
        child = start(partial(_jumping, path, log, number), trouble.folder / "errors")
        trouble.found.check("the process ends well", ended(child, SLOW), number)
        unhurt(trouble, path, log, 100, number)
