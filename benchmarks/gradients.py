"""Measures of all gradients of GPT-2 small's shapes: five ways to them, and the floor.

Each shape is timed on one matrix, all ways in turns, and counts as often as the model has it. The
gradients are Δᵀ X of 2,048 token positions with features of unequal scale; rows of the embedding
whose token does not occur are zero.

    python -m benchmarks.gradients [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from benchmarks.environment import environment
from benchmarks.timing import in_turns, ratio, summed
from spectrain.matrix import MEASURES, SKETCHED, estimate, spectrum

SHAPES = {
    (768, 2304): 12,
    (768, 768): 12,
    (768, 3072): 12,
    (3072, 768): 12,
    (1024, 768): 1,
    (50257, 768): 1,
}
"""Of GPT-2 small's matrices, and how often each occurs."""

TOKENS = 2048


def gradient(m: int, n: int, generator: torch.Generator) -> Tensor:
    """A matrix with the spectrum of a gradient: noise of unequal scale, a few strong directions."""
    scales = torch.arange(1, n + 1).pow(-0.25)[torch.randperm(n, generator=generator)]
    inputs = torch.randn(TOKENS, n, generator=generator) * scales + 0.3
    errors = torch.randn(TOKENS, m, generator=generator)
    if m > 10 * n:  # an embedding: errors of few tokens at a time
        tokens = torch.randint(0, m, (TOKENS,), generator=generator)
        return torch.zeros(m, n).index_add(0, tokens, inputs)
    return errors.mT @ inputs / TOKENS


def svd_loop(matrix: Tensor) -> None:
    """As in the source document: all of U, S, V for the sake of S."""
    torch.linalg.svd(matrix, full_matrices=False)


def specgd_gram(matrix: Tensor) -> None:
    """The public method, as a formula: λ, V of the float64 Gram matrix, σ = √λ."""
    wide = matrix.double() if matrix.shape[0] <= matrix.shape[1] else matrix.double().mT
    torch.linalg.eigh(wide @ wide.mT).eigenvalues.clamp_min(0).sqrt()


def floor(matrix: Tensor) -> Callable[[], object]:
    """The Gram product and its eigenvalues, by BLAS and LAPACK, in the matrix's own dtype."""
    work = matrix.numpy()
    if work.shape[0] <= work.shape[1]:
        return lambda: np.linalg.eigvalsh(work @ work.T)
    return lambda: np.linalg.eigvalsh(work.T @ work)


def floor_torch(matrix: Tensor) -> Callable[[], object]:
    """The same by PyTorch."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    return lambda: torch.linalg.eigvalsh(wide @ wide.mT)


def ours(matrix: Tensor, rtol: float) -> None:
    """The spectrum and every measure of it."""
    found = spectrum(matrix, rtol=rtol)
    for measure in MEASURES.values():
        measure(found)


def main() -> None:
    """Run the benchmark and print its result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    parts, methods = [], {}
    for (m, n), count in track(SHAPES.items(), description="shapes"):
        single = gradient(m, n, generator)
        double = single.double()
        calls: dict[str, Callable[[], object]] = {
            "svd loop": partial(svd_loop, single),
            "svdvals loop": partial(torch.linalg.svdvals, single),
            "Gram and eigh": partial(specgd_gram, single),
            "floor, float64": floor(double),
            "floor, float64, PyTorch": floor_torch(double),
            "floor, float32": floor(single),
            "exact": partial(ours, single, 1e-6),
            "exact at 0.1 %": partial(ours, single, 1e-3),
            "estimated at 1 %": partial(estimate, single, SKETCHED, rtol=0.01),
        }
        times = in_turns(calls, options.rounds, rng)
        parts.append((count, times))
        methods[f"{m}x{n}"] = {
            "exact": spectrum(single).method,
            "exact at 0.1 %": spectrum(single, rtol=1e-3).method,
            "estimated at 1 %": estimate(single, SKETCHED, rtol=0.01).method,
            "exact over floor": 1 / ratio(times, "floor, float64", "exact")["median"],
        }
    whole = summed(parts)
    reference = ("svd loop", "svdvals loop", "Gram and eigh")
    result = {
        "benchmark": "gradients",
        "rounds": options.rounds,
        "seconds": {name: min(row[0] for row in rows) for name, rows in whole.items()},
        "times_faster": {f"exact than {name}": ratio(whole, name, "exact") for name in reference}
        | {f"at 1 % than {name}": ratio(whole, name, "estimated at 1 %") for name in reference},
        "over_floor": {
            "exact": ratio(whole, "exact", "floor, float64"),
            "exact, floor by PyTorch": ratio(whole, "exact", "floor, float64, PyTorch"),
            "exact at 0.1 %": ratio(whole, "exact at 0.1 %", "floor, float32"),
        },
        "methods": methods,
        "environment": environment(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
