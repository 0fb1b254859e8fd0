"""A long training in little time: memory flat, files bounded, no handle leaked."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from campaigns.hardships.kills import SLOW
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import ended, make, start, step

GROWTH = 1.10
"""Largest memory in the last quarter of the training over that in the second."""


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _train(path: Path, answer: Path, steps: int) -> None:
    import spectrain

    model, optimizer, numbers = make()
    memory, handles = [], []
    with spectrain.watch(model, optimizer, path, every=10):
        for number in range(steps):
            step(model, optimizer, numbers)
            if number % max(1, steps // 200) == 0:
                memory.append(_resident())
                handles.append(len(os.listdir("/proc/self/fd")))
    answer.write_text(json.dumps({"memory": memory, "handles": handles}), "utf-8")


@hardship("soak")
def soak(trouble: Trouble) -> None:
    steps = trouble.times(50_000)
    path, answer = trouble.folder / "run", trouble.folder / "answer"
    child = start(partial(_train, path, answer, steps), trouble.folder / "errors")
    trouble.found.check("the process ends well", ended(child, 10 * SLOW))
    seen = json.loads(answer.read_text("utf-8"))
    memory, handles = seen["memory"], seen["handles"]
    quarter = len(memory) // 4
    growth = max(memory[-quarter:]) / max(memory[quarter : 2 * quarter])
    files = sum(1 for file in path.rglob("*") if file.is_file())
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    trouble.found.figures |= {
        "steps": steps,
        "memory at the end over the second quarter": round(growth, 4),
        "files": files,
        "bytes": size,
        "bytes a step": round(size / steps, 1),
    }
    trouble.found.check("memory is flat", growth <= GROWTH, growth)
    leaked = max(handles[-quarter:]) - max(handles[quarter : 2 * quarter])
    trouble.found.check("no handle is leaked", leaked <= 0, leaked)
    trouble.found.check("files are bounded", files <= 200, files)
