"""The support table: what is recorded in each mode, found by running it."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

import spectrain
from spectrain.core import InputError
from support.distributed import MODES, ROUGH, Job, result, run_jobs, train

FILE = Path(__file__).parents[2] / "docs" / "support.json"

SOURCES = ("gradient", "backward", "update", "direction", "weight", "input", "noise")
KEY = ["step", "block", "source", "measure"]
FOUR = {"hsdp", "fsdp2 + tensor parallel"}


def find_support(folder: Path) -> dict[str, dict[str, str]]:
    """Mode → column → cell, each from a run in this moment."""
    table: dict[str, dict[str, str]] = {}
    refusals = {
        name: dict.fromkeys((*SOURCES, "training"), refusal(model, folder))
        for name, model in refused().items()
    }
    modes = [mode for mode in (*MODES, *ROUGH) if mode != "alone"]
    train(Job("alone", folder / "alone", steps=2))
    train(Job("alone", folder / "alone in 2 microbatches", steps=2, accumulation=2))
    train(Job("alone", folder / "alone in 4 microbatches", steps=2, accumulation=4))
    for processes in (2, 4):
        chosen = [mode for mode in modes if (mode in FOUR) == (processes == 4)]
        place = folder / f"{processes}"
        place.mkdir()
        jobs = [Job(m, f, steps=2) for m in chosen for f in (None, place / m)]
        run_jobs(jobs, processes, place)
        for number, mode in enumerate(chosen):
            reference = {
                "noise": folder / f"alone in {processes} microbatches",
            }
            cells = {
                source: compared(place / mode, reference.get(source, folder / "alone"), source)
                for source in SOURCES
            }
            cells["training"] = "identical" if _same(place, number, processes) else "differs"
            table[f"{mode}, {processes} processes"] = cells
    return table | refusals


def compared(folder: Path, reference: Path, source: str) -> str:
    """Whether a source is recorded, and equals the reference."""
    ours, theirs = (spectrain.open_run(f).metrics(source=source) for f in (folder, reference))
    if ours["value"].drop_nulls().is_empty():
        return "not recorded"
    both = theirs.join(ours, on=KEY, how="full", suffix="_ours", nulls_equal=True)
    complete = both["measure"].null_count() == both["measure_ours"].null_count() == 0
    smooth = both.filter(pl.col("measure") != "condition_number")
    error = (pl.col("value") - pl.col("value_ours")).abs()
    close = smooth.filter(error > 1e-5 * pl.col("value").abs() + 1e-9).is_empty()
    return "equal" if complete and close else "recorded"


def refused() -> dict[str, Callable[[], nn.Module]]:
    """Models that are refused, made when asked for."""
    return {
        "nn.DataParallel": lambda: nn.DataParallel(nn.Linear(4, 4)),
        "FullyShardedDataParallel (FSDP1)": _fsdp1,
    }


def refusal(make: Callable[[], nn.Module], folder: Path) -> str:
    with one_process():
        model = make()
        return _watched(model, folder)


def _watched(model: nn.Module, folder: Path) -> str:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        spectrain.watch(model, optimizer, folder / "refused")
    except InputError:
        return "refused"
    return "recorded"


def _fsdp1() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one process has nothing to shard
        return FullyShardedDataParallel(nn.Linear(4, 4), device_id=torch.device("cpu"))


@contextmanager
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _same(folder: Path, number: int, processes: int) -> bool:
    for rank in range(processes):
        (losses, weights), (others, watched) = (
            result(folder, 2 * number + i, rank) for i in (0, 1)
        )
        if losses != others or not all(map(torch.equal, weights, watched)):
            return False
    return True


def write() -> dict[str, Any]:
    """Run everything and write the table that the documentation shows."""
    with tempfile.TemporaryDirectory() as folder:
        table = find_support(Path(folder))
    FILE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    return table


if __name__ == "__main__":
    print(json.dumps(write(), indent=1))
