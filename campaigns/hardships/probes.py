"""A probe that runs out of memory, fails, or is slow: its own affair."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from campaigns.hardships.kills import SLOW, rows_of, sound
from campaigns.hardships.registry import Trouble, hardship
from campaigns.hardships.training import ended, logged, make, start, step, unwatched

FAILURES = ("out of memory", "no such memory", "a bug")


def _failing(kind: str, path: Path, log: Path) -> None:
    import torch

    import spectrain
    from campaigns.hardships.training import fingerprint
    from spectrain.monitor.probes.gradient import GradientProbe

    def fail(*args: Any, **options: Any) -> Any:
        if kind == "out of memory":
            raise torch.OutOfMemoryError("tried to allocate more than there is")
        if kind == "no such memory":
            return torch.empty(1 << 60)
        raise ZeroDivisionError("a bug in a probe")

    GradientProbe.gradient_ready = fail  # type: ignore[method-assign]
    model, optimizer, numbers = make()
    with spectrain.watch(model, optimizer, path, every=2), log.open("w", buffering=1) as lines:
        for number in range(60):
            step(model, optimizer, numbers)
            lines.write(f"{number} {fingerprint(model)}\n")


@hardship("probe that fails")
def failing_probes(trouble: Trouble) -> None:
    from spectrain.records import open_run

    for number in range(trouble.times(4)):
        for kind in FAILURES:
            path, log = trouble.folder / f"{kind}-{number}", trouble.folder / f"log {kind}-{number}"
            child = start(partial(_failing, kind, path, log), trouble.folder / "errors")
            trouble.found.check("the process ends well", ended(child, SLOW), kind)
            same = [mark for _, mark in logged(log)] == unwatched(60)
            trouble.found.check("training goes on to its end, bit-identical", same, kind)
            sound(trouble.found, path, rows_of(path), kind)
            disabled = open_run(path).summary["disabled_probes"]
            trouble.found.check("the run tells which probe failed", bool(disabled), kind)
