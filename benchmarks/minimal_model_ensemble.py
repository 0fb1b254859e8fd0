"""A sweep of the minimal model as one tensor program against the same runs in a loop.

The loop is what one would write: a `torch.nn.Parameter` each for W and γ, autograd, and
`torch.optim.AdamW`. Both see the same data and batches in float64, in turn, and their parameters
are compared. The times are those of the process, on one thread.

    python -m benchmarks.minimal_model_ensemble [--steps 200] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import process_time

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.environment import environment
from spectrain_studies.models.minimal_model import Arm, Problem, batch_indices, run_minimal_model

ARMS = tuple(Arm(weight_decay=decay) for decay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1))


def loop(problem: Problem, arms: Sequence[Arm], seeds: Sequence[int], steps: int) -> Tensor:
    """Every run by itself: (W, γ) at the end, arms × seeds."""
    return torch.stack(
        [torch.stack([one_run(problem, arm, seed, steps) for seed in seeds]) for arm in arms]
    )


def one_run(problem: Problem, arm: Arm, seed: int, steps: int) -> Tensor:
    """One run by autograd and torch's AdamW."""
    data, start = problem.draw(seed)
    weight = torch.nn.Parameter(start[:, :-1].clone())
    gamma = torch.nn.Parameter(start[:, -1].clone())
    optimizer = torch.optim.AdamW(
        [weight, gamma], lr=arm.learning_rate, weight_decay=arm.weight_decay
    )
    x, y = data.split(problem.dimension, 1)
    stream = batch_indices(seed, problem.samples, arm.batch_size)
    for step in range(steps):
        if step % 256 == 0:
            block = next(stream)
        rows = block[step % 256]
        error = gamma * (x[rows] @ weight.mT) - y[rows]
        loss = error.square().sum() / (2 * arm.batch_size)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return torch.cat([weight.detach(), gamma.detach()[:, None]], 1)


def batched(problem: Problem, arms: Sequence[Arm], seeds: Sequence[int], steps: int) -> Tensor:
    """All runs at once."""
    course = run_minimal_model(problem, arms, seeds, steps=steps, records=[steps])
    return course.parameters[0]


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    problem, seeds = Problem(), range(options.seeds)
    times: dict[str, list[float]] = {"loop": [], "batched": []}
    difference = 0.0
    batched(problem, ARMS, seeds, 10), loop(problem, ARMS[:1], seeds[:1], 10)  # warm-up
    for _ in track(range(options.rounds), description="rounds"):
        ends = {}
        for name, run in (("batched", batched), ("loop", loop)):
            start = process_time()
            ends[name] = run(problem, ARMS, seeds, options.steps)
            times[name].append(process_time() - start)
        scale = ends["loop"].abs().clamp_min(1e-3)
        difference = max(difference, ((ends["batched"] - ends["loop"]).abs() / scale).max().item())
    ratios = [a / b for a, b in zip(times["loop"], times["batched"], strict=True)]
    result = {
        "benchmark": "minimal model ensemble",
        "runs": len(ARMS) * options.seeds,
        "steps": options.steps,
        "rounds": options.rounds,
        "ratio": median(ratios),
        "ratios": ratios,
        "loop_seconds": median(times["loop"]),
        "batched_seconds": median(times["batched"]),
        "largest_relative_difference": difference,
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
