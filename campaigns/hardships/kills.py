"""SIGKILL at random moments of a training, a sweep, a trial and a server."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from campaigns.hardships.registry import Findings, Trouble, hardship
from campaigns.hardships.training import ended, kill, logged, start, unwatched, watched

SLOW = 240.0
"""Seconds after which something that was not killed counts as hanging."""


def rows_of(path: Path) -> int:
    """Rows of the parts that stand in a run folder now, read without spectrain."""
    import polars as pl

    return sum(pl.read_parquet(part).height for part in path.glob("metrics/*.parquet"))


def sound(found: Findings, path: Path, at_least: int, case: object) -> None:
    """That a run folder reads, and holds what was flushed."""
    from spectrain.core import RunError
    from spectrain.records import open_run

    if not (path / "manifest.json").exists():
        found.check("nothing was flushed before the manifest", at_least == 0, case)
        return
    try:
        run = open_run(path)
        rows, spectra = run.metrics(), run.spectra()
    except (RunError, OSError) as error:
        found.check("what is on disk reads", False, f"{case}: {error}")
        return
    found.check("what is on disk reads", not run.damaged and spectra.height >= 0, case)
    found.check("nothing flushed is lost", rows.height >= at_least, case)


@hardship("training killed")
def training_killed(trouble: Trouble) -> None:
    expected, found, errors = unwatched(), trouble.found, trouble.folder / "errors"
    before = time.monotonic()
    whole = start(partial(watched, trouble.folder / "whole", trouble.folder / "log"), errors)
    found.check("a training that nothing befalls ends", ended(whole, SLOW))
    length = time.monotonic() - before
    for number in range(trouble.times(120)):
        path, log = trouble.folder / f"run-{number}", trouble.folder / f"log-{number}"
        child = start(partial(watched, path, log), errors)
        time.sleep(trouble.chance.uniform(0.0, length))
        flushed = list(path.glob("metrics/*.parquet"))
        kill(child)
        found.check("no part that was whole is gone", all(p.exists() for p in flushed), number)
        sound(found, path, rows_of(path), number)
        steps = logged(log)
        same = all(expected[step] == mark for step, mark in steps)
        found.check("training is bit-identical up to the kill", same, number)
        found.count("steps before the kills", len(steps))
        found.count("parts that were whole", len(flushed))


@dataclass(frozen=True)
class Seed:
    """A case of the sweep."""

    seed: int


def _measured(case: Seed) -> dict[str, Any]:
    """A task of the sweep: long enough to be killed in."""
    time.sleep(0.05)
    numbers = torch.Generator().manual_seed(case.seed)
    return {"value": torch.randn(50, 50, generator=numbers).square().sum().item()}


def _swept(folder: Path) -> list[Any]:
    from spectrain.sweeps import run_tasks, task_of

    return [
        done.outcome for done in run_tasks([task_of(_measured, Seed(n), folder) for n in range(20)])
    ]


@hardship("sweep killed")
def sweep_killed(trouble: Trouble) -> None:
    expected = _swept(trouble.folder / "whole")
    for number in range(trouble.times(30)):
        folder = trouble.folder / f"sweep-{number}"
        for _ in range(2):  # killed twice, then left to end
            child = start(partial(_swept, folder), trouble.folder / "errors")
            time.sleep(trouble.chance.uniform(0.0, 1.5))
            trouble.found.count("tasks done before the kills", len(list(folder.glob("*.npz"))))
            kill(child)
        same = _swept(folder) == expected
        trouble.found.check("a sweep that was killed ends as if it had not been", same, number)


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))


def _loss(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(x), x[:, :4].argmax(1))


def _changes(setup: Any) -> list[Any]:
    from spectrain.trials import exponent

    return [exponent(setup, 0.5, "0.weight")]


def _tried(folder: Path) -> list[Any]:
    from spectrain.trials import trial

    numbers = torch.Generator().manual_seed(0)
    batches = [torch.randn(16, 8, generator=numbers) for _ in range(40)]
    result = trial(
        _model, _loss, batches, batches[:4], _changes, steps=1000, folder=folder, progress=False
    )
    return [effect.to_dict() for effect in result.effects]


@hardship("trial killed")
def trial_killed(trouble: Trouble) -> None:
    before = time.monotonic()
    expected = _tried(trouble.folder / "whole")
    length = time.monotonic() - before
    for number in range(trouble.times(10)):
        folder = trouble.folder / f"trial-{number}"
        child = start(partial(_tried, folder), trouble.folder / "errors")
        time.sleep(trouble.chance.uniform(0.0, length))
        kill(child)
        same = _tried(folder) == expected
        trouble.found.check("a trial that was killed ends as if it had not been", same, number)


def digest(folder: Path) -> str:
    """Of every file below a folder, names and bytes."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return found.hexdigest()


def serve(folder: Path, address: Path) -> None:
    """Serve a folder at a free port, and write down where."""
    from spectrain.report.serve import application
    from spectrain.report.serve.listen import listen

    def ready(at: str) -> None:
        address.write_text(at, "utf-8")

    listen(application(folder), host="127.0.0.1", port=0, ready=ready)


def reached(address: Path, seconds: float) -> str | None:
    """Where the server answers, once it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if address.exists() and (at := address.read_text()):
            return at
        time.sleep(0.02)
    return None


@hardship("server killed")
def server_killed(trouble: Trouble) -> None:
    runs = trouble.folder / "runs"
    runs.mkdir()
    watched(runs / "one", trouble.folder / "log", steps=20)
    before = digest(runs)
    for number in range(trouble.times(40)):
        address = trouble.folder / f"address-{number}"
        child = start(partial(serve, runs, address), trouble.folder / "errors")
        at = reached(address, SLOW)
        if at is not None and trouble.chance.random() < 0.7:
            with urllib.request.urlopen(f"{at.rstrip('/')}/runs.json", timeout=SLOW) as answer:
                listed = json.load(answer)
            trouble.found.check("a new server lists the run", "one" in json.dumps(listed), number)
        time.sleep(trouble.chance.uniform(0.0, 0.3))
        kill(child)
        trouble.found.check("a server leaves the folder as it was", digest(runs) == before, number)
