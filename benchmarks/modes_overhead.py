"""What watching costs in each mode of training: with and without the monitor, step by step in turn.

Every process trains two copies of one model, one of them watched; a pair is one step of each, in
an order that is random and the same on all processes. The time of a step is rank 0's. The ratio is
that of the summed times, its interval a bootstrap over blocks of pairs. The dense start is left
out: what it owes is paid back within the pairs that count.

    python -m benchmarks.modes_overhead [--pairs 300] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

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
from benchmarks.monitor_overhead import ratio_with_interval

VOCABULARY, WIDTH, LENGTH, BATCH = 128, 128, 64, 16
WARM_UP = 20
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
        for layer in model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


def stepper(mode: str, folder: Path | None) -> Callable[[Tensor], None]:
    """A training, watched where it has a folder."""
    model = placed(mode)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    run = spectrain.watch(model, optimizer, folder) if folder else None

    def step(tokens: Tensor) -> None:
        logits = model(tokens[:, :-1]).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if run is not None:
            run.log(loss=loss.item(), batch_size=len(tokens))

    return step


def measure(rank: int, mode: str, pairs: int, folder: str, result: str) -> None:
    """One process's part; rank 0 writes the times."""
    torch.set_num_threads(1)
    processes = PROCESSES[mode]
    if processes > 1:
        rendezvous = f"file://{folder}/rendezvous"
        dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=processes)
    sides = [stepper(mode, None), stepper(mode, Path(folder) / "run")]
    order = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(1 + rank)
    times = np.zeros((WARM_UP + pairs, 2))
    for number in range(len(times)):
        tokens = torch.randint(VOCABULARY, (BATCH, LENGTH + 1), generator=generator)
        for side in order.permutation(2):
            start = perf_counter()
            sides[side](tokens)
            times[number, side] = perf_counter() - start
    if rank == 0:
        np.save(result, times[WARM_UP:])
    if processes > 1:
        dist.destroy_process_group()


def main() -> None:
    """Run every mode and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--modes", nargs="*", default=list(PROCESSES), choices=list(PROCESSES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    for mode in options.modes:
        with tempfile.TemporaryDirectory() as folder:
            result = f"{folder}/times.npy"
            arguments = (mode, options.pairs, folder, result)
            mp.start_processes(measure, arguments, PROCESSES[mode], start_method="spawn")
            times = np.load(result)
            summary = spectrain.open_run(Path(folder) / "run").metrics(source="monitor")
        off, on = times.T
        ratio, low, high = ratio_with_interval(on, off, np.random.default_rng(0))
        found[mode] = {
            "processes": PROCESSES[mode],
            "step_ms": float(np.median(off) * 1e3),
            "ratio": ratio,
            "interval_95": [low, high],
            "median_ratio": float(np.median(on / off)),
            "samples": summary["step"].n_unique(),
        }
        print(mode, json.dumps(found[mode]), flush=True)
    report = {"benchmark": "modes_overhead", "pairs": options.pairs, "modes": found}
    text = json.dumps(report | {"environment": environment()}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
