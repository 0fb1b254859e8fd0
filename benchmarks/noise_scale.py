"""The gradient noise scale of a small network: brute force, microbatches, and gns-pytorch.

Brute force takes the gradient of every example. ``measure_noise`` sees batches of sixteen only;
gns-pytorch, if it is installed, sees the examples, once by its defaults (a quarter of the batch,
ten parameters) over twenty seeds, and once in full.

    python -m benchmarks.noise_scale [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import spectrain
from benchmarks.environment import environment

EXAMPLES, BATCH = 512, 16


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A two-layer network without biases, and targets that it half explains."""
    generator = torch.Generator().manual_seed(7)
    model = nn.Sequential(
        nn.Linear(6, 10, bias=False), nn.Tanh(), nn.Linear(10, 3, bias=False)
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn / 2)
    x, y = (torch.randn(EXAMPLES, n, generator=generator, dtype=torch.float64) for n in (6, 3))
    return model, x, y + x[:, :3]


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Squared error of every example."""
    errors: Tensor = (model(x) - y).square().sum(1)
    return errors


def brute_force(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Tr C/‖E g‖² over all examples, both unbiased."""

    def loss(parameters: dict[str, Tensor], one: Tensor, target: Tensor) -> Tensor:
        error: Tensor = (functional_call(model, parameters, (one,)) - target).square().sum()
        return error

    found = vmap(grad(loss), (None, 0, 0))(dict(model.named_parameters()), x, y)
    g = torch.cat([one.flatten(1) for one in found.values()], 1).detach()
    trace = g.var(0).sum()
    return float(trace / (g.mean(0).square().sum() - trace / len(g)))


def gns_pytorch(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Its figure at its defaults, by seed, and with all parameters and examples."""
    if find_spec("gns_pytorch") is None:
        return {"missing": "pip install gns-pytorch"}
    from gns_pytorch import compute_gns  # type: ignore[import-not-found]

    defaults = []
    for seed in range(20):
        random.seed(seed)
        rows = torch.randperm(EXAMPLES, generator=torch.Generator().manual_seed(seed))
        defaults.append(compute_gns(losses(model, x[rows], y[rows]), model))
    full = compute_gns(losses(model, x, y), model, param_percentage=1.0, batch_percentage=1.0)
    return {"defaults": [min(defaults), max(defaults)], "full": full}


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model, x, y = problem()
    batches = list(zip(x.split(BATCH), y.split(BATCH), strict=True))
    found = spectrain.measure_noise(
        model,
        lambda one, batch: losses(one, *batch).mean(),
        batches,
        batch_size=lambda batch: len(batch[0]),
        k=3,
    ).total.noise_scale
    result = {
        "benchmark": "noise_scale",
        "brute_force": brute_force(model, x, y),
        "measure_noise": {"value": found.value, "low": found.low, "high": found.high},
        "gns_pytorch": gns_pytorch(model, x, y),
        "environment": environment(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
