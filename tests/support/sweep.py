"""A sweep of small watched trainings, to be killed."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

import spectrain
from spectrain.sweeps import Done, run_tasks, task_of


@dataclass(frozen=True)
class Case:
    seed: int
    rate: float
    folder: str
    kills: bool = False


def train(case: Case) -> dict[str, float]:
    """A watched training; one case kills its worker when it is first tried."""
    folder = Path(case.folder)
    with (folder / "log").open("a") as log:
        log.write(f"{case.seed} {case.rate}\n")
    if case.kills and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    torch.manual_seed(case.seed)
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=case.rate)
    run_folder = folder / f"run-{case.seed}-{case.rate}"
    with spectrain.watch(model, optimizer, run_folder, every=2, resume=run_folder.exists()) as run:
        for _ in range(4):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 4)).square().mean()
            loss.backward()
            optimizer.step()
            run.log(loss=loss)
    return {"loss": loss.item()}


def sweep(folder: Path, *, runs: int, workers: int, backend: str = "loky") -> list[Done]:
    """So many runs; the fifth kills its worker once."""
    cases = [Case(n // 4, 0.01 * (1 + n % 4), str(folder), kills=n == 5) for n in range(runs)]
    tasks = [task_of(train, case, folder / "outcomes") for case in cases]
    return run_tasks(tasks, workers=workers, backend=backend)


if __name__ == "__main__":
    sweep(Path(sys.argv[1]), runs=int(sys.argv[2]), workers=2)
