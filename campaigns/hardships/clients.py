"""Many clients of the live view at once, on this machine only and so many requests, no more."""

from __future__ import annotations

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from campaigns.hardships.kills import SLOW, digest, reached, serve
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import kill, start, watched

CLIENTS = 200
REQUESTS = 5
"""Of each client."""


def _ask(address: str, client: int) -> list[tuple[int, float]]:
    """Status and seconds of the requests of one client."""
    found = []
    for number in range(REQUESTS):
        page = ("runs.json", "state/one", "", "run/one")[(client + number) % 4]
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(address + page, timeout=SLOW) as answer:
                answer.read()
                found.append((answer.status, time.monotonic() - begun))
        except OSError:
            found.append((0, time.monotonic() - begun))
    return found


@hardship("many clients")
def many_clients(trouble: Trouble) -> None:
    runs, address = trouble.folder / "runs", trouble.folder / "address"
    runs.mkdir()
    watched(runs / "one", trouble.folder / "log", steps=20)
    before, clients = digest(runs), trouble.times(CLIENTS)
    server = start(partial(serve, runs, address), trouble.folder / "errors")
    try:
        at = reached(address, SLOW)
        trouble.found.check("the server answers", at is not None)
        if at is None:
            return
        with ThreadPoolExecutor(clients) as pool:
            answers = [one for many in pool.map(partial(_ask, at), range(clients)) for one in many]
    finally:
        kill(server)
    for status, _ in answers:
        trouble.found.check("every request is answered", status == 200, status)
    trouble.found.check("the folder is as it was", digest(runs) == before)
    seconds = sorted(taken for _, taken in answers)
    trouble.found.figures |= {
        "clients": clients,
        "median seconds": round(seconds[len(seconds) // 2], 3),
        "longest seconds": round(seconds[-1], 3),
    }
