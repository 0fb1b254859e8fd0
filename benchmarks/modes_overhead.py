"""What watching costs in each mode of training: with and without the monitor, step by step in turn.

Every process trains two copies of one model, one of them watched; a pair is one step of each, in
an order that is random and the same on all processes. The time of a step is rank 0's. A sampled
step counts in full, and so does the next one, in which its records are handed on. The ratio is
that of the summed times, its interval a bootstrap over blocks of pairs; the stratified one, for
noisy machines, is that of ``benchmarks.monitor_overhead``.

Warm-up steps, in which torch.compile makes both of its graphs, do not count; after them the
schedule begins anew, so that the dense start and what pays it back lie within the pairs that count.
``--every`` samples by count and not by budget.

    python -m benchmarks.modes_overhead [--pairs 1000] [--every N] [--modes ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import spectrain
from benchmarks.environment import environment
from benchmarks.monitor_overhead import busy_steps, ratio_with_interval, stratified_ratio
from spectrain.monitor import Watch

VOCABULARY, WIDTH, LENGTH, BATCH = 128, 128, 64, 16
WARM_UP = 10
PROCESSES = {"one process": 1, "compiled": 1, "DDP": 2, "FSDP2": 2}


class Model(nn.Module):
    """A transformer of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, batch_first=True) for _ in range(2)
        )
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits."""
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.head(x)
        return logits


def placed(mode: str) -> nn.Module:
    """A fresh model in a mode."""
    torch.manual_seed(0)
    model: nn.Module = Model()
    if mode == "compiled":
        model.compile()
    elif mode == "DDP":
        model = DistributedDataParallel(model)
    elif mode == "FSDP2":
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in model.get_submodule("layers").children():
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


def trainer(
    mode: str, watch: Callable[[nn.Module, torch.optim.Optimizer], Watch] | None
) -> tuple[Callable[[Tensor], None], Watch | None]:
    """A training that takes one step a call, and who watches it."""
    model = placed(mode)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    run = None if watch is None else watch(model, optimizer)

    def step(tokens: Tensor) -> None:
        logits = model(tokens[:, :-1]).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if run is not None:
            run.log(loss=loss.item(), batch_size=len(tokens))

    return step, run


def measure(rank: int, mode: str, pairs: int, folder: str, chosen: dict[str, Any]) -> None:
    """One process's part; rank 0 writes the times."""
    torch.set_num_threads(1)
    processes = PROCESSES[mode]
    if processes > 1:
        rendezvous = f"file://{folder}/rendezvous"
        dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=processes)
    plain, _ = trainer(mode, None)
    watched, run = trainer(mode, partial(spectrain.watch, path=Path(folder) / "run", **chosen))
    assert run is not None
    order = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(1 + rank)
    times = np.zeros((WARM_UP + pairs, 2))
    for number in range(len(times)):
        if number == WARM_UP:
            run._observer.schedule = replace(run._observer.schedule)
        tokens = torch.randint(VOCABULARY, (BATCH, LENGTH + 1), generator=generator)
        for side in order.permutation(2):
            start = perf_counter()
            (plain, watched)[side](tokens)
            times[number, side] = perf_counter() - start
    run.__exit__(None, None, None)
    if rank == 0:
        np.save(f"{folder}/times.npy", times[WARM_UP:])
    if processes > 1:
        dist.destroy_process_group()


def found_in(folder: Path, pairs: int) -> dict[str, Any]:
    """Ratios, and what was sampled in the pairs that count."""
    off, on = np.load(folder / "times.npy").T
    run = spectrain.open_run(folder / "run")
    busy = busy_steps(run, WARM_UP + pairs)[WARM_UP:]
    sampled = run.metrics(source="monitor", measure="monitor_seconds")["step"]
    ratio, low, high = ratio_with_interval(on, off, np.random.default_rng(0))
    stratified, least, most = stratified_ratio(on, off, busy, np.random.default_rng(0))
    samples = int((sampled >= WARM_UP).sum())
    return {
        "step_ms": float(np.median(off) * 1e3),
        "ratio": ratio,
        "interval_95": [low, high],
        "stratified_ratio": stratified,
        "stratified_interval_95": [least, most],
        "idle_ratio": float(on[~busy].sum() / off[~busy].sum()) if not busy.all() else None,
        "samples": samples,
        "sample_ms": float((on - off)[busy].sum() / samples * 1e3) if samples else None,
        "disabled_probes": run.summary["disabled_probes"],
    }


def main() -> None:
    """Run every mode and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--every", type=int, default=None, help="sample by count, not by budget")
    parser.add_argument("--overhead", type=float, default=None, help="the default's if not given")
    parser.add_argument("--modes", nargs="*", default=list(PROCESSES), choices=list(PROCESSES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    given = {"every": options.every, "overhead": options.overhead}
    chosen = {name: value for name, value in given.items() if value is not None}
    found = {}
    for mode in options.modes:
        with tempfile.TemporaryDirectory() as folder:
            arguments = (mode, options.pairs, folder, chosen)
            mp.start_processes(measure, arguments, PROCESSES[mode], start_method="spawn")
            found[mode] = {"processes": PROCESSES[mode], **found_in(Path(folder), options.pairs)}
        print(mode, json.dumps(found[mode]), flush=True)
    report = {"benchmark": "modes_overhead", "pairs": options.pairs, **given, "modes": found}
    text = json.dumps(report | {"environment": environment()}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
