"""What the question of stability costs, in operations, at the shapes of GPT-2 small.

Operations of one reading of every block, counted by torch's ``FlopCounterMode`` on the meta device,
over the operations of the training steps that a reading stands for at least: fifteen, at default
settings. A training step is a forward and a backward pass of the built-in GPT with the layers of
GPT-2 small, on 16 windows of 512 tokens; GPT-2's own batch was 64 times that, and the share then
the 64th part. Counted are products of matrices and attention, which are all but everything; what
goes over entries once is told in entries.

    python -m benchmarks.stability_cost [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.environment import environment
from spectrain.monitor.plan import Cadence
from spectrain.monitor.replay import COLUMNS
from spectrain.monitor.schedule import NEAREST, SELDOM_EVERY
from spectrain.monitor.wide import SAMPLED
from spectrain.stability import follow_largest, logit_bound, propagating_sums, sampled_gain
from spectrain.stability.largest import WIDTH
from spectrain.training.gpt.config import GPTConfig
from spectrain.training.gpt.model import GPT

LAYERS, HEADS, D, VOCABULARY = 12, 12, 768, 50_257
WINDOWS, LENGTH = 16, 512

SELDOM = SELDOM_EVERY * NEAREST[Cadence.SOMETIMES]
"""Steps between two readings of the registered probes, at least."""

RARELY = NEAREST[Cadence.RARELY]
"""The same of the probe that is asked for."""

LIMIT = 0.002
"""Share of a training step that the registered probes may take."""


def model() -> nn.Module:
    """The layers of GPT-2 small, without entries; attention forms its scores, to be counted."""
    config = GPTConfig(
        vocabulary=VOCABULARY,
        layers=LAYERS,
        heads=HEADS,
        width=D,
        context=LENGTH,
        tied=True,
        eager_attention=True,
    )
    with torch.device("meta"):
        return GPT(config)


def operations(work: Callable[[], Any]) -> float:
    """Of the products of matrices in it."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def step(network: nn.Module, windows: int) -> None:
    """A forward and a backward pass."""
    network(tokens(windows)).float().logsumexp(-1).mean().backward()


def tokens(windows: int) -> Tensor:
    """So many windows of them, without entries."""
    return torch.empty(windows, LENGTH, dtype=torch.long, device="meta")


def weights(network: nn.Module) -> list[Tensor]:
    """The matrices that multiply activations."""
    return [m.weight.detach() for m in network.modules() if isinstance(m, nn.Linear)]


def gram_product(w: Tensor, v: Tensor) -> Tensor:
    """WᵀWv."""
    return w.mT @ (w @ v)


def readings(network: nn.Module) -> dict[str, float]:
    """Operations of one reading of every block, by measure."""

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    def largest() -> None:
        for w in weights(network):
            follow_largest(partial(gram_product, w), empty(w.shape[1], WIDTH))

    def bounds() -> None:
        for _ in range(LAYERS):
            logit_bound(empty(HEADS, D // HEADS, D), empty(HEADS, D // HEADS, D))

    def gains() -> None:
        for w in weights(network):
            for _ in range(2):  # of the weights and of their update
                sampled_gain(w, empty(SAMPLED, w.shape[1]))

    def propagating() -> None:
        with torch.no_grad():
            for _ in range(2):  # before the step and after it
                network(tokens(1))
        for w in weights(network):
            columns = empty(COLUMNS, w.shape[1])
            propagating_sums(w, columns, columns)

    works = (largest, bounds, gains, propagating)
    return {work.__name__: operations(work) for work in works}


def result() -> dict[str, Any]:
    """Operations and their shares of a training step."""
    network = model()
    training = operations(lambda: step(network, WINDOWS))
    found = readings(network)
    asked = found.pop("propagating")
    registered = sum(found.values()) / (SELDOM * training)
    return {
        "benchmark": "stability_cost",
        "tokens": WINDOWS * LENGTH,
        "step_operations": training,
        "reading_operations": found | {"propagating": asked},
        "steps_between": {"registered": SELDOM, "propagating": RARELY},
        "share": {"registered": registered, "propagating": asked / (RARELY * training)},
        "share_by_measure": {name: value / (SELDOM * training) for name, value in found.items()},
        "entries_of_scores": LAYERS * WINDOWS * HEADS * LENGTH**2,
        "limit": LIMIT,
        "kept": registered <= LIMIT,
    }


def main() -> None:
    """Count, show, and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = result() | {"environment": environment()}
    Console().print_json(json.dumps(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
