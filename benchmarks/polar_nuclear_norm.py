"""How far ⟨G, F⟩ is from ‖G‖_* where F is the factor that Muon has computed already.

Muon's five quintic iterations in bfloat16 give F = U φ(σ) Vᵀ with φ between about 0.7 and 1.2, less
for small σ, so that ⟨G, F⟩ = Σσφ(σ) is off by a factor that the spectrum decides. The table gives
⟨G, F⟩/‖G‖_*, and what comes of dividing by ‖F‖_F²/r, the mean of φ², to the power ½, which would be
the obvious correction.

    python -m benchmarks.polar_nuclear_norm [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.environment import environment
from benchmarks.gradients import gradient
from benchmarks.sketch import decaying, gaussian, spikes
from spectrain.matrix import newton_schulz, nuclear_norm, nuclear_rank, spectrum

SIZE, SEEDS = 512, 5


def ratios(matrix: Tensor) -> tuple[float, float, float]:
    """⟨G, F⟩/‖G‖_*, the same corrected, and the nuclear rank per side."""
    exact = spectrum(matrix)
    factor = newton_schulz(matrix, iteration="quintic", steps=5, dtype=torch.bfloat16).factor
    raw = (matrix * factor).double().sum().item() / nuclear_norm(exact).item()
    mean = (factor.double().square().sum() / min(matrix.shape)).sqrt().item()
    return raw, raw / mean, nuclear_rank(exact).item() / min(matrix.shape)


def main() -> None:
    """Run the measurement and print its result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    kinds: dict[str, Callable[[int, torch.Generator], Tensor]] = {
        "Gaussian": gaussian,
        "spikes": spikes,
        "slow power law": decaying,
        "gradient": lambda size, g: gradient(size, size, g),
        "gradient of rank 64": lambda size, g: (
            torch.randn(size, 64, generator=g) @ torch.randn(64, size, generator=g)
        ),
    }
    rows = {}
    for name, make in kinds.items():
        found = [ratios(make(SIZE, generator)) for _ in range(SEEDS)]
        raw, corrected, rank = zip(*found, strict=True)
        rows[name] = {
            "nuclear_rank_share": sum(rank) / SEEDS,
            "least": min(raw),
            "most": max(raw),
            "corrected_least": min(corrected),
            "corrected_most": max(corrected),
        }
    result = {
        "benchmark": "polar_nuclear_norm",
        "size": SIZE,
        "seeds": SEEDS,
        "ratio": rows,
        "environment": environment(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
