"""What watching costs: the demo's training with and without the monitor, step by step in turn.

Two copies of one training run in one process. A pair is one step of each, in random order; a
sampled step counts in full, and so does handing its records to disk, which happens in the step
after. Each copy is watched for one half of the pairs, as one of two equal copies can be faster for
where it lies in memory; both halves pay for the dense start of a run. Two estimates of the ratio,
each with a bootstrap interval over blocks of pairs: that of the summed times, and a stratified one
for noisy machines, in which the steps that do no monitoring enter by the median of their ratios and
the others by their sums.

The same for processor time, which suffers less from what else the machine does, and, with
``--width`` and ``--every 1``, for sampling every step with everything on.

    python -m benchmarks.monitor_overhead [--pairs 1000] [--width 64] [--every N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

import spectrain
from benchmarks.environment import environment
from spectrain.monitor import Watch
from spectrain.records import Run
from spectrain.training.config import TrainConfig
from spectrain.training.corpus import Corpus, load_corpus
from spectrain.training.demo import DEMO
from spectrain.training.trainer import Trainer

BLOCK = 50
"""Pairs that the bootstrap keeps together."""


class Side:
    """One training, watched for a while."""

    def __init__(self, config: TrainConfig, corpus: Corpus) -> None:
        self.config, self.trainer = config, Trainer.of(config, corpus)
        self.run: Watch | None = None

    def step(self, number: int) -> None:
        """The next training step, with the logging that a user would add."""
        loss = self.trainer.backward(number)
        if self.run is not None:
            self.run.log(loss=loss, batch_size=self.config.batch_size)
        self.trainer.update(number)

    @contextmanager
    def watched(self, folder: Path, options: dict[str, Any]) -> Iterator[None]:
        """Steps in here are watched."""
        trainer = self.trainer
        with spectrain.watch(trainer.model, trainer.optimizers, folder, **options) as self.run:
            yield
        self.run = None


def ratio_with_interval(
    on: NDArray[np.float64], off: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Ratio of the sums and its 95 % interval by a bootstrap over blocks of pairs."""
    blocks = np.array_split(np.arange(len(on)), _blocks(len(on)))
    sums = np.array([[on[block].sum(), off[block].sum()] for block in blocks])
    draws = rng.integers(len(sums), size=(4000, len(sums)))
    ratios = sums[draws].sum(1)
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], [0.025, 0.975])
    return float(on.sum() / off.sum()), float(low), float(high)


def stratified_ratio(
    on: NDArray[np.float64],
    off: NDArray[np.float64],
    busy: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Median ratio of the idle steps, and all that the busy ones took beyond their partners."""

    def estimate(index: NDArray[np.int64]) -> float:
        chosen_on, chosen_off, chosen = on[index], off[index], busy[index]
        idle = np.median(chosen_on[~chosen] / chosen_off[~chosen]) if not chosen.all() else 1.0
        extra = (chosen_on - chosen_off)[chosen].sum() / chosen_off.sum()
        return float(idle * (1 - chosen.mean()) + chosen.mean() + extra)

    blocks = np.array_split(np.arange(len(on)), _blocks(len(on)))
    draws = rng.integers(len(blocks), size=(2000, len(blocks)))
    spread = [estimate(np.concatenate([blocks[b] for b in draw])) for draw in draws]
    low, high = np.quantile(spread, [0.025, 0.975])
    return estimate(np.arange(len(on))), float(low), float(high)


def _blocks(pairs: int) -> int:
    """Ten blocks at least, as long as there are pairs."""
    return min(pairs, max(pairs // BLOCK, 10))


def busy_steps(run: Run, pairs: int) -> NDArray[np.bool_]:
    """Sampled steps, and those after them, in which the records are handed on."""
    sampled = run.metrics(source="monitor", measure="monitor_seconds")["step"].to_numpy()
    busy = np.zeros(pairs + 1, dtype=bool)
    busy[sampled] = busy[sampled + 1] = True
    return busy[:pairs]


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--overhead", type=float, default=None, help="the default's if not given")
    parser.add_argument("--every", type=int, default=None, help="sample by count, not by budget")
    parser.add_argument("--width", type=int, default=DEMO.width)
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = replace(DEMO, optimizer=options.optimizer, steps=options.pairs, width=options.width)
    corpus = load_corpus(config.text, characters=config.characters)
    rng = np.random.default_rng(0)
    clock, processor = np.zeros((options.pairs, 2)), np.zeros((options.pairs, 2))
    chosen = {"overhead": options.overhead, "every": options.every}
    given = {name: value for name, value in chosen.items() if value is not None}
    sides = [Side(config, corpus) for _ in range(2)]
    for side in sides:
        for warm_up in range(3):
            side.step(warm_up)
    halves = np.array_split(np.arange(options.pairs), 2)
    runs = []
    with tempfile.TemporaryDirectory() as folder, Progress() as bar:
        task = bar.add_task("pairs", total=options.pairs)
        for on, pairs in enumerate(halves):
            path = Path(folder) / f"run{on}"
            with sides[on].watched(path, given):
                for number in pairs:
                    for side in rng.permutation(2):
                        watched = int(side == on)
                        start = perf_counter(), process_time()
                        sides[side].step(number)
                        processor[number, watched] = process_time() - start[1]
                        clock[number, watched] = perf_counter() - start[0]
                    bar.advance(task)
            runs.append(spectrain.open_run(path))
        summaries = [run.summary for run in runs]
        busy = np.concatenate(
            [busy_steps(run, len(pairs)) for run, pairs in zip(runs, halves, strict=True)]
        )
    result: dict[str, Any] = {
        "benchmark": "monitor_overhead",
        "optimizer": options.optimizer,
        "width": options.width,
        "every": options.every,
        "pairs": options.pairs,
        "step_ms": float(np.median(clock[:, 0]) * 1e3),
    }
    for prefix, times in (("", clock), ("processor_", processor)):
        ratio, low, high = ratio_with_interval(times[:, 1], times[:, 0], rng)
        stratified, least, most = stratified_ratio(times[:, 1], times[:, 0], busy, rng)
        result |= {
            f"{prefix}ratio": ratio,
            f"{prefix}interval_95": [low, high],
            f"{prefix}stratified_ratio": stratified,
            f"{prefix}stratified_interval_95": [least, most],
        }
    result |= {
        "sampled_steps": sum(summary["sampled_steps"] for summary in summaries),
        "peak_bytes": max(summary["peak_bytes"] for summary in summaries),
        "overhead_reported": float(np.mean([summary["overhead"] for summary in summaries])),
        "overhead_budget": summaries[0]["overhead_budget"],
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
