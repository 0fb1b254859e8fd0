"""What a run at default settings gets to see, and what that costs from outside.

A recipe is trained watched and unwatched, step by step in turn in one process, as a user would
write it: ``spectrain.watch(model, optimizer)`` and nothing else. Counted are the samples of each
block's gradient spectrum and of its norm within the first steps, the questions that are answered at
the end, the cost, and the longest step beside the median one. Which of the two equal trainings is
watched alternates with the rounds. The most memory is that of a process of its own for each side.

    python -m benchmarks.cadence [--recipe nanogpt] [--rounds 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

import spectrain
from benchmarks.environment import environment
from benchmarks.memory import most_resident_bytes
from benchmarks.monitor_overhead import ratio_with_interval
from benchmarks.recipes import RECIPES, Recipe, Training
from spectrain.answers import diagnose
from spectrain.records import Run

HORIZON = 1000
"""Steps within which samples are counted."""


def samples(run: Run, measure: str, horizon: int) -> tuple[int, float, int]:
    """Least, median and most samples of a measure of gradients over the blocks."""
    rows = run.metrics(source="gradient", measure=measure)
    counts = rows.filter(rows["step"] < horizon)["block"].value_counts()["count"].to_numpy()
    every = len(run.blocks)
    counts = np.concatenate([counts, np.zeros(max(every - len(counts), 0), dtype=counts.dtype)])
    return int(counts.min()), float(np.median(counts)), int(counts.max())


def seen(run: Run, steps: int) -> dict[str, Any]:
    """What the records of a run hold, and the answers that they give."""
    horizon = min(HORIZON, steps)
    return {
        "horizon": horizon,
        "gradient_spectra": samples(run, "effective_rank", horizon),
        "gradient_norms": samples(run, "frobenius_norm", horizon),
        "answers": {finding.name: str(finding.sign) for finding in diagnose(run)},
        "verdicts": {finding.name: finding.sentence for finding in diagnose(run)},
        "overhead_reported": run.summary["overhead"],
        "peak_bytes_reported": run.summary["peak_bytes"],
    }


def in_turn(
    recipe: Recipe, folder: Path, steps: int, watched: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds by the clock and of the processor, of each step: columns unwatched, watched."""
    sides = [Training(recipe) for _ in range(2)]
    clock, processor = np.zeros((steps, 2)), np.zeros((steps, 2))
    on = sides[watched]
    watch = spectrain.watch(on.model, on.optimizer, folder)
    with Progress(console=Console(stderr=True)) as bar, watch as run:
        for number in bar.track(range(steps), description=recipe.name):
            for side in rng.permutation(2):
                start = perf_counter(), process_time()
                sides[side].step(number, run.log if side == watched else None)
                column = int(side == watched)
                processor[number, column] = process_time() - start[1]
                clock[number, column] = perf_counter() - start[0]
    return clock, processor


def most_memory(recipe: Recipe, steps: int) -> dict[str, int]:
    """The most resident bytes of a process that trains with and without watching."""
    command = [sys.executable, "-m", "benchmarks.cadence", "--recipe", recipe.name]
    found = {}
    for side in ("off", "on"):
        done = subprocess.run(
            [*command, "--steps", str(steps), "--alone", side],
            check=True,
            capture_output=True,
            text=True,
        )
        found[side] = int(done.stdout.split()[-1])
    return found


def alone(recipe: Recipe, steps: int, *, watched: bool) -> int:
    """Train without a partner; the most resident bytes of this process."""
    training = Training(recipe)
    if watched:
        with (
            tempfile.TemporaryDirectory() as folder,
            spectrain.watch(training.model, training.optimizer, Path(folder) / "run") as run,
        ):
            for number in range(steps):
                training.step(number, run.log)
    else:
        for number in range(steps):
            training.step(number)
    return most_resident_bytes()


def measured(recipe: Recipe, steps: int, rounds: int) -> dict[str, Any]:
    """A recipe's row."""
    rng = np.random.default_rng(0)
    clocks, processors, runs = [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            clock, processor = in_turn(recipe, path, steps, number % 2, rng)
            runs.append(seen(spectrain.open_run(path), steps))
        clocks.append(clock)
        processors.append(processor)
    clock, processor = np.concatenate(clocks), np.concatenate(processors)
    usual = np.median(processor[:, 0])
    return {
        "what": recipe.what,
        "steps": steps,
        "step_ms": float(np.median(clock[:, 0]) * 1e3),
        "processor_ratio": ratio_with_interval(processor[:, 1], processor[:, 0], rng),
        "clock_ratio": ratio_with_interval(clock[:, 1], clock[:, 0], rng),
        "longest_step": float(processor[:, 1].max() / usual),
        "longest_unwatched_step": float(processor[:, 0].max() / usual),
        "first_step": float(np.median([one[0, 1] / one[0, 0] for one in processors])),
        "rounds": runs,
        "most_memory": most_memory(recipe, min(steps, 40)),
    }


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", choices=[*RECIPES], action="append")
    parser.add_argument("--steps", type=int, help="the recipe's own if not given")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--alone", choices=["on", "off"], help="print the most memory of one side")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [RECIPES[name] for name in options.recipe or RECIPES]
    if options.alone:
        recipe = chosen[0]
        print(alone(recipe, options.steps or recipe.steps, watched=options.alone == "on"))
        return
    rows = {
        recipe.name: measured(recipe, options.steps or recipe.steps, options.rounds)
        for recipe in chosen
    }
    text = json.dumps({"benchmark": "cadence", "recipes": rows, "environment": environment()})
    print(json.dumps(json.loads(text), indent=2))
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
