"""Leading directions of gradient replicas and their alignment, against a full SVD of each.

Replicas are a mean with eight strong directions plus noise. Both ways align with the directions of
the mean; the agreement of what they find is part of the result.

    python -m benchmarks.replica_alignment [--replicas 16] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.environment import environment
from benchmarks.timing import in_turns, ratio
from spectrain.noise import Triples, align, top_triples

ROWS, COLUMNS, DIRECTIONS = 768, 3072, 8


def replicas(count: int, generator: torch.Generator) -> Tensor:
    """Strong directions 16 to 2 times the noise's edge, the same in all replicas."""
    left, right = (torch.randn(n, DIRECTIONS, generator=generator) for n in (ROWS, COLUMNS))
    left, right = torch.linalg.qr(left).Q, torch.linalg.qr(right).Q
    edge = ROWS**0.5 + COLUMNS**0.5
    strength = edge * torch.logspace(4, 1, DIRECTIONS, base=2)
    noise = torch.randn(count, ROWS, COLUMNS, generator=generator)
    return (left * strength) @ right.mT + noise


def by_svd(stack: Tensor, reference: Triples) -> Tensor:
    """Overlaps by a full SVD of every replica."""
    rows = []
    for one in stack:
        left, values, right = torch.linalg.svd(one, full_matrices=False)
        count = DIRECTIONS + 4
        found = Triples(
            left[:, :count], values[:count], right[:count].mT, torch.zeros(count).to(values)
        )
        rows.append(align(found, reference).left)
    return torch.stack(rows)


def ours(stack: Tensor, reference: Triples) -> Tensor:
    """Overlaps by block Krylov methods that start from the reference."""
    return torch.stack(
        [
            align(top_triples(one, DIRECTIONS, extra=4, start=reference), reference).left
            for one in stack
        ]
    )


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    stack = replicas(options.replicas, torch.Generator().manual_seed(0))
    reference = top_triples(stack.mean(0), DIRECTIONS)
    calls = {
        "full SVDs": lambda: by_svd(stack, reference),
        "ours": lambda: ours(stack, reference),
    }
    times = in_turns(calls, options.rounds, np.random.default_rng(0))
    difference = (by_svd(stack, reference) - ours(stack, reference)).abs().max().item()
    result = {
        "benchmark": "replica_alignment",
        "replicas": options.replicas,
        "shape": [ROWS, COLUMNS],
        "seconds": {name: min(row[0] for row in rows) for name, rows in times.items()},
        "times_faster": {"alignment than full SVDs": ratio(times, "full SVDs", "ours")},
        "largest_difference_of_overlaps": difference,
        "environment": environment(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
