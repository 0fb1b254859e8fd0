"""A sketched spectrum against the exact one: processor time, error and coverage, A and B in turn.

Each pair is a fresh matrix: its exact spectrum by the Gram matrix, then its sketch, in random
order. The times are those of the process, on one thread.

    python -m benchmarks.sketch [--sizes 2048 4096] [--pairs 5] [--rtol 0.03] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.environment import environment
from spectrain.matrix import Spectrum, effective_rank, nuclear_norm, spectrum
from spectrain.matrix.sketch import Sketch, sketch


def gaussian(size: int, generator: torch.Generator) -> Tensor:
    """Independent entries: as a gradient that is all noise."""
    return torch.randn(size, size, generator=generator)


def spikes(size: int, generator: torch.Generator) -> Tensor:
    """Eight directions, the largest at ten times the edge of the bulk, on Gaussian noise."""
    strength = 20 * math.sqrt(size) / torch.arange(1, 9)
    left, right = (torch.randn(size, 8, generator=generator) / math.sqrt(size) for _ in range(2))
    return (left * strength) @ right.mT + gaussian(size, generator)


def decaying(size: int, generator: torch.Generator) -> Tensor:
    """Columns of lengths 1/√j: a power law."""
    lengths: Tensor = torch.arange(1, size + 1).rsqrt()
    return gaussian(size, generator) * lengths


KINDS: tuple[Callable[[int, torch.Generator], Tensor], ...] = (gaussian, spikes, decaying)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of a call, and what it returns."""
    start = process_time()
    result = call()
    return process_time() - start, result


def pair(matrix: Tensor, rtol: float, generator: torch.Generator) -> dict[str, float]:
    """One exact spectrum and one sketch of a matrix."""
    calls = {
        "exact": lambda: spectrum(matrix),
        "float32": lambda: spectrum(matrix, rtol=rtol),
        "sketch": lambda: sketch(matrix, rtol=rtol, generator=generator),
    }
    names = list(calls)
    order = torch.randperm(len(names), generator=generator).tolist()
    done = {names[i]: timed(calls[names[i]]) for i in order}
    exact: Spectrum = done["exact"][1]
    found: Sketch = done["sketch"][1]
    row: dict[str, float] = {f"{name}_seconds": seconds for name, (seconds, _) in done.items()}
    row["products"] = found.products
    for measure in (nuclear_norm, effective_rank):
        truth, estimate = measure(exact).item(), getattr(found, measure.__name__)
        row[f"{measure.__name__}_error"] = estimate.value / truth - 1
        row[f"{measure.__name__}_half_width"] = (estimate.high - estimate.low) / 2 / truth
        row[f"{measure.__name__}_covered"] = estimate.low <= truth <= estimate.high
    return row


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Medians of ratios and times, root mean square errors, share of covered cases."""
    result = {
        "ratio_exact": median(row["exact_seconds"] / row["sketch_seconds"] for row in rows),
        "ratio_float32": median(row["float32_seconds"] / row["sketch_seconds"] for row in rows),
        "sketch_seconds": median(row["sketch_seconds"] for row in rows),
        "exact_seconds": median(row["exact_seconds"] for row in rows),
        "products": median(row["products"] for row in rows),
    }
    for name in ("nuclear_norm", "effective_rank"):
        result[f"{name}_rms_error"] = (
            sum(row[f"{name}_error"] ** 2 for row in rows) / len(rows)
        ) ** 0.5
        result[f"{name}_half_width"] = median(row[f"{name}_half_width"] for row in rows)
        result[f"{name}_covered"] = sum(row[f"{name}_covered"] for row in rows) / len(rows)
    return result


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 4096])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rtol", type=float, default=0.03)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    pair(gaussian(512, generator), options.rtol, generator)  # warm-up
    results: dict[str, dict[str, float]] = {}
    for size in options.sizes:
        for kind in KINDS:
            label = f"{kind.__name__} {size}"
            rows = [
                pair(kind(size, generator), options.rtol, generator)
                for _ in track(range(options.pairs), description=label)
            ]
            results[label] = summary(rows)
    result = {
        "benchmark": "sketch",
        "rtol": options.rtol,
        "pairs": options.pairs,
        "results": results,
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
