"""The training that the hardships befall, in a process of its own that tells what it does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch
from torch import nn

STEPS = 120
"""Of a whole training."""

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["torch", "spectrain.monitor", "spectrain.trials", "spectrain.sweeps", "spectrain.report.serve"]
)


def make() -> tuple[nn.Module, torch.optim.Optimizer, torch.Generator]:
    """A small network, its optimizer, and the numbers that its batches come from."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16), nn.Linear(16, 4))
    return model, torch.optim.AdamW(model.parameters(), lr=1e-2), torch.Generator().manual_seed(1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, numbers: torch.Generator) -> None:
    """One step on a batch of its own."""
    x = torch.randn(32, 16, generator=numbers)
    loss = nn.functional.cross_entropy(model(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def fingerprint(model: nn.Module) -> str:
    """Of every bit of the parameters."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()[:16]


def unwatched(steps: int = STEPS) -> list[str]:
    """Fingerprint after every step of the training that nothing watches."""
    model, optimizer, numbers = make()
    found = []
    for _ in range(steps):
        step(model, optimizer, numbers)
        found.append(fingerprint(model))
    return found


def watched(
    path: Path,
    log: Path,
    *,
    steps: int = STEPS,
    before: Callable[[int], None] | None = None,
    every: int = 2,
) -> None:
    """The same under watch; a line of ``log`` a step, each written in one call.

    Args:
        path: the run folder.
        log: file of the fingerprints.
        steps: how many.
        before: called with each step's number before it, outside of the watch's own code.
        every: steps between samples.
    """
    import spectrain

    model, optimizer, numbers = make()
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with spectrain.watch(model, optimizer, path, every=every):
        for number in range(steps):
            if before is not None:
                before(number)
            step(model, optimizer, numbers)
            os.write(target, f"{number} {fingerprint(model)}\n".encode())


def logged(log: Path) -> list[tuple[int, str]]:
    """The steps that a training told of, and the fingerprint after each."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [(int(number), mark) for number, mark in (line.split() for line in lines)]


def start(work: Callable[[], object], errors: Path) -> ForkServerProcess:
    """Do some work in a process forked from one that has imported everything and used nothing.

    What it says goes to a file. ``work`` has to be picklable.
    """
    process = CONTEXT.Process(target=_quietly, args=(work, errors))
    process.start()
    return process


def _quietly(work: Callable[[], object], errors: Path) -> None:
    target = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    work()


def kill(process: ForkServerProcess) -> None:
    """SIGKILL, and wait until it is gone."""
    process.kill()
    process.join()


def ended(process: ForkServerProcess, seconds: float) -> bool:
    """Whether a process ends by itself and well within so many seconds; else it is killed."""
    process.join(seconds)
    well = process.exitcode == 0
    if process.exitcode is None:
        kill(process)
    return well
