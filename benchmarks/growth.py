"""How the cost of a measurement grows: with the width of a matrix, and with the number of blocks.

python -m benchmarks.growth [--widths 128 … 8192] [--rounds 2] [--json FILE] [--figure FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from benchmarks.environment import environment
from benchmarks.timing import in_turns
from spectrain.matrix import SKETCHED, estimate, spectrum

WIDTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
BLOCKS = (1, 4, 16, 64)
BLOCK_WIDTH = 256


def of_width(width: int, rounds: int, rng: np.random.Generator) -> dict[str, Any]:
    """Processor seconds on a square Gaussian matrix."""
    matrix = torch.randn(width, width, generator=torch.Generator().manual_seed(width))
    double = matrix.double()
    times = in_turns(
        {
            "product": lambda: double @ double.mT,
            "exact": lambda: spectrum(matrix),
            "estimated at 2 %": lambda: estimate(matrix, SKETCHED, rtol=0.02),
        },
        rounds,
        rng,
    )
    seconds: dict[str, Any] = {name: min(row[0] for row in rows) for name, rows in times.items()}
    return seconds | {"method": estimate(matrix, SKETCHED, rtol=0.02).method}


def of_blocks(blocks: int, rounds: int, rng: np.random.Generator) -> dict[str, float]:
    """Processor seconds on so many matrices of one shape, in one call and in a loop."""
    generator = torch.Generator().manual_seed(blocks)
    stack = torch.randn(blocks, BLOCK_WIDTH, BLOCK_WIDTH, generator=generator)
    times = in_turns(
        {
            "one call": lambda: spectrum(stack),
            "svdvals loop": lambda: [torch.linalg.svdvals(one) for one in stack],
        },
        rounds,
        rng,
    )
    return {name: min(row[0] for row in rows) for name, rows in times.items()}


def draw(result: dict[str, Any], path: Path) -> None:
    """Cost against width, with the product as the floor."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    widths = [int(width) for width in result["widths"]]
    for name, style in (("exact", "o-"), ("estimated at 2 %", "s-"), ("product", "k--")):
        label = "A Aᵀ in float64, the floor" if name == "product" else name
        axis.loglog(widths, [result["widths"][str(w)][name] for w in widths], style, label=label)
    axis.set(xlabel="width of a square matrix", ylabel="processor seconds")
    axis.set_xticks(widths, [str(width) for width in widths])
    axis.minorticks_off()
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    widths = {
        str(width): of_width(width, options.rounds if width < 4096 else 1, rng)
        for width in track(options.widths, description="widths")
    }
    blocks = {str(count): of_blocks(count, options.rounds, rng) for count in BLOCKS}
    largest = str(max(options.widths))
    result = {
        "benchmark": "growth",
        "widths": widths,
        "blocks": blocks,
        "times_faster": {
            f"estimated than exact, {width}²": {
                "median": found["exact"] / found["estimated at 2 %"]
            }
            for width, found in widths.items()
            if found["method"] == "sketch"
        }
        | {
            "one call than svdvals loop, 64 blocks": {
                "median": blocks["64"]["svdvals loop"] / blocks["64"]["one call"]
            }
        },
        "over_floor": {
            f"estimated over product, {largest}²": {
                "median": widths[largest]["estimated at 2 %"] / widths[largest]["product"]
            }
        },
        "environment": environment(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    if options.figure:
        draw(result, options.figure)


if __name__ == "__main__":
    main()
