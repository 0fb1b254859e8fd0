"""What watching costs where an accelerator trains: `make bench-gpu`, under eight minutes.

Three parts. *Training*: GPT-2 small in bfloat16, compiled, watched at default settings and
unwatched, step by step in turn, each step between two device events. *Profile*: the kernels of one
sampled and one idle step, how many were launched and what they took on the device, and how often
the host waited for it. *Spectra*: each shape of the model, exact and estimated at 5 %, beside the
Gram product of the same matrix, which no method can do without.

    python -m benchmarks.gpu [--device cuda] [--pairs 150] [--quick] [--json FILE]

``--quick`` takes a model of two layers and no compilation: it tries the script out on any device.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.profiler import ProfilerActivity, profile

import spectrain
from benchmarks.environment import environment
from benchmarks.monitor_overhead import ratio_with_interval
from spectrain.matrix import spectrum
from spectrain.matrix.estimate import estimate
from spectrain.network import find_blocks
from spectrain.training.gpt import GPT, preset

VOCABULARY = 50_257


class Device:
    """Where the training runs, and how its time is taken."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        self.module = None if name == "cpu" else torch.get_device_module(self.device)

    def seconds(self, call: Callable[[], object]) -> float:
        """Time of a call: between two events on the device, by the clock on a CPU."""
        if self.module is None:
            start = perf_counter()
            call()
            return perf_counter() - start
        first, last = (self.module.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1e3

    @property
    def activities(self) -> list[ProfilerActivity]:
        """What the profiler follows."""
        return [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.module else [])]


class Side:
    """One training on random tokens."""

    def __init__(self, device: Device, *, quick: bool) -> None:
        size = {"layers": 2, "heads": 2, "width": 64} if quick else {"layers": 12, "heads": 12}
        shape = preset(
            "nanogpt",
            vocabulary=512 if quick else VOCABULARY,
            **{"width": 768, "context": 1024, **size},
        )
        model = GPT(shape, generator=torch.Generator().manual_seed(0)).to(device.device)
        self.model: nn.Module = model
        self.forward: Any = model if quick else torch.compile(model)
        self.optimizer = AdamW(model.parameters(), lr=6e-4, weight_decay=0.1)
        self.device, self.vocabulary = device.device, shape.vocabulary
        self.size = (2, 64) if quick else (8, 1024)

    def step(self, log: Callable[..., None] | None = None) -> None:
        """Forward, backward, update; nothing here waits for the device."""
        batch, context = self.size
        tokens = torch.randint(self.vocabulary, (batch, context + 1), device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            logits = self.forward(tokens[:, :-1])
            loss = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        if log is not None:
            log(loss=loss.detach())
        self.optimizer.step()
        self.optimizer.zero_grad()


def training(device: Device, pairs: int, *, quick: bool) -> dict[str, Any]:
    """Watched and unwatched in turn, at default settings."""
    sides = [Side(device, quick=quick) for _ in range(2)]
    seconds = np.zeros((pairs, 2))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with spectrain.watch(sides[1].model, sides[1].optimizer, path) as run:
            for side in (0, 1):
                for _ in range(3):  # compilation is not what is measured
                    sides[side].step(run.log if side else None)
            with Progress(console=Console(stderr=True)) as bar:
                for number in bar.track(range(pairs), description="training"):
                    for side in rng.permutation(2):
                        log = run.log if side else None
                        seconds[number, side] = device.seconds(partial(sides[side].step, log))
        summary = spectrain.open_run(path).summary
    ratio, low, high = ratio_with_interval(seconds[:, 1], seconds[:, 0], rng)
    usual = float(np.median(seconds[:, 0]))
    return {
        "pairs": pairs,
        "step_ms": usual * 1e3,
        "ratio": ratio,
        "interval_95": [low, high],
        "longest_step": float(seconds[:, 1].max() / usual),
        "sampled_steps": summary["sampled_steps"],
        "overhead_reported": summary["overhead"],
        "peak_bytes": summary["peak_bytes"],
    }


def profiled(device: Device, *, quick: bool) -> dict[str, Any]:
    """Kernels, launches and waits of an idle step and of one that samples everything."""
    found = {}
    for kind, every in (("idle", 1_000_000), ("sampled", 1)):
        side = Side(device, quick=quick)
        with (
            tempfile.TemporaryDirectory() as folder,
            spectrain.watch(
                side.model, side.optimizer, Path(folder) / "run", every=every, dense=0
            ) as run,
        ):
            for _ in range(3):
                side.step(run.log)
            with profile(activities=device.activities) as trace, Waits(device) as waited:
                side.step(run.log)
                if device.module is not None:
                    device.module.synchronize()
        found[kind] = {"waits": waited.count, **_kernels(trace, device)}
    return found


def gram(matrix: Tensor) -> Tensor:
    """The smaller of the two products of a matrix with itself."""
    return matrix @ matrix.mT if matrix.shape[0] <= matrix.shape[1] else matrix.mT @ matrix


class Waits:
    """Counts how often the host waits for the device, by the warnings of its debug mode."""

    def __init__(self, device: Device) -> None:
        self._module, self.count = device.module, 0
        self._caught = warnings.catch_warnings(record=True)

    def __enter__(self) -> Waits:
        self._warned = self._caught.__enter__()
        warnings.simplefilter("always")
        if self._module is torch.cuda:
            torch.cuda.set_sync_debug_mode("warn")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._module is torch.cuda:
            torch.cuda.set_sync_debug_mode("default")
        self.count = sum("synchronizing" in str(w.message) for w in self._warned or ())
        self._caught.__exit__(kind, error, trace)


def _kernels(trace: profile, device: Device) -> dict[str, Any]:
    """The ten dearest kernels, and how many there were."""
    seconds: Counter[str] = Counter()
    launches = 0
    for event in trace.key_averages():
        own = event.self_device_time_total if device.module else event.self_cpu_time_total
        if own:
            seconds[event.key] += own / 1e6
            launches += event.count
    return {
        "launches": launches,
        "seconds": sum(seconds.values()),
        "dearest": [[name, value] for name, value in seconds.most_common(10)],
    }


def spectra(device: Device, rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Milliseconds a matrix of each shape: the Gram product, the exact spectrum, 5 %."""
    blocks = find_blocks(Side(device, quick=quick).model).blocks
    shapes = Counter(block.shape for block in blocks if not block.view.diagonal)
    rows = []
    for shape, count in shapes.items():
        matrix = torch.randn(shape, device=device.device)
        probes = torch.Generator(device.device).manual_seed(0)
        calls: dict[str, Callable[[], Tensor | object]] = {
            "floor": partial(gram, matrix),
            "exact": partial(spectrum, matrix, rtol=1e-3),
            "five_per_cent": partial(estimate, matrix, rtol=0.05, generator=probes),
        }
        times = {
            name: [device.seconds(call) for _ in range(rounds + 1)] for name, call in calls.items()
        }
        rows.append(
            {"shape": list(shape), "count": count}
            | {f"{name}_ms": median(taken[1:]) * 1e3 for name, taken in times.items()}
        )
    return rows


def main() -> None:
    """Run the three parts and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = Device(options.device)
    if device.module is None and not options.quick:
        parser.error("there is no accelerator here; --quick tries the script out on the CPU")
    torch.manual_seed(0)
    result = {
        "benchmark": "gpu",
        "device": str(device.device),
        "quick": options.quick,
        "training": training(device, options.pairs, quick=options.quick),
        "profile": profiled(device, quick=options.quick),
        "spectra": spectra(device, options.rounds, quick=options.quick),
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
