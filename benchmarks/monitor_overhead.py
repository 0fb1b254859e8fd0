"""What watching costs: the demo's training with and without the monitor, step by step in turn.

Two copies of one training run in one process. A pair is one step of each, in random order; a
sampled step counts in full, and so does handing its records to disk, which happens in the step
after. The ratio is that of the summed times, its interval a bootstrap over pairs in blocks, since
sampled steps come at intervals.

    python -m benchmarks.monitor_overhead [--pairs 1000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from spectrain.training.demo import DEMO

import spectrain
from benchmarks.environment import environment
from spectrain.lab.corpus import Corpus, load_corpus
from spectrain.training.config import TrainConfig
from spectrain.training.trainer import Trainer

BLOCK = 50
"""Pairs that the bootstrap keeps together."""


def stepper(
    config: TrainConfig, corpus: Corpus, *, folder: Path | None, overhead: float | None
) -> tuple[Callable[[int], None], AbstractContextManager[Any]]:
    """One training; returns what takes its next step, and the watch to leave at the end."""
    trainer = Trainer.of(config, corpus)
    options = {} if overhead is None else {"overhead": overhead}
    context: AbstractContextManager[Any] = (
        nullcontext()
        if folder is None
        else spectrain.watch(trainer.model, trainer.optimizers, folder / "run", **options)
    )
    run = context.__enter__()

    def step(number: int) -> None:
        loss = trainer.backward(number)
        if run is not None:
            run.log(loss=loss, batch_size=config.batch_size)
        trainer.update(number)

    return step, context


def ratio_with_interval(
    on: NDArray[np.float64], off: NDArray[np.float64], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Ratio of the sums and its 95 % interval by a bootstrap over blocks of pairs."""
    blocks = np.array_split(np.arange(len(on)), len(on) // BLOCK)
    sums = np.array([[on[block].sum(), off[block].sum()] for block in blocks])
    draws = rng.integers(len(sums), size=(4000, len(sums)))
    ratios = sums[draws].sum(1)
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], [0.025, 0.975])
    return float(on.sum() / off.sum()), float(low), float(high)


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--overhead", type=float, default=None, help="the default's if not given")
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = replace(DEMO, optimizer=options.optimizer, steps=options.pairs)
    corpus = load_corpus(config.text, characters=config.characters)
    rng = np.random.default_rng(0)
    times = np.zeros((options.pairs, 2))
    with tempfile.TemporaryDirectory() as folder:
        sides = [
            stepper(config, corpus, folder=None, overhead=None),
            stepper(config, corpus, folder=Path(folder), overhead=options.overhead),
        ]
        for warm_up in range(3):
            sides[0][0](warm_up)
        for number in track(range(options.pairs), description="pairs"):
            for side in rng.permutation(2):
                start = perf_counter()
                sides[side][0](number)
                times[number, side] = perf_counter() - start
        for _, context in sides:
            context.__exit__(None, None, None)
        summary = spectrain.open_run(Path(folder) / "run").summary
    ratio, low, high = ratio_with_interval(times[:, 1], times[:, 0], rng)
    result = {
        "benchmark": "monitor_overhead",
        "optimizer": options.optimizer,
        "pairs": options.pairs,
        "step_ms": float(np.median(times[:, 0]) * 1e3),
        "ratio": ratio,
        "interval_95": [low, high],
        "median_ratio": float(np.median(times[:, 1] / times[:, 0])),
        "sampled_steps": summary["sampled_steps"],
        "overhead_reported": summary["overhead"],
        "overhead_budget": summary["overhead_budget"],
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
