"""What a sample costs at the shapes of GPT-2 small, in operations, against a training step."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from spectrain.monitor.plan import Cadence
from spectrain.monitor.schedule import NEAREST, SELDOM_EVERY
from spectrain.monitor.wide import SAMPLED
from spectrain.stability import follow_largest, logit_bound, sampled_gain
from spectrain.stability.largest import WIDTH

D, LAYERS, HEADS, VOCABULARY = 768, 12, 12, 50_257
LINEAR = [(D, D)] * 4 + [(4 * D, D), (D, 4 * D)]
TOKENS = 8_192
"""A small batch: 16 windows of 512. GPT-2's own had 64 times as many."""


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def operations() -> dict[str, float]:
    """Of one sample of all blocks, by what is measured; products only, as all else is small."""
    found = {}
    for name in ("largest", "logits", "response"):
        with FlopCounterMode(display=False) as counter:
            for shape in LAYERS * LINEAR + [(D, VOCABULARY)]:
                weight = empty(*shape)
                if name == "largest":
                    frame = empty(shape[1], WIDTH)
                    follow_largest(lambda v, w=weight: w.mT @ (w @ v), frame)
                elif name == "response" and shape[1] != VOCABULARY:
                    for _ in range(2):  # of the weights and of their update
                        sampled_gain(weight, empty(SAMPLED, shape[1]))
            if name == "logits":
                for _ in range(LAYERS):
                    heads = empty(HEADS, D // HEADS, D)
                    logit_bound(heads, heads)
        found[name] = float(counter.get_total_flops())
    return found


def test_a_sample_is_less_than_a_five_hundredth_of_the_steps_it_stands_for():
    """Samples lie at least five steps apart, and every third is read by these. Seen: 0.03 %."""
    parameters = LAYERS * sum(m * n for m, n in LINEAR) + D * VOCABULARY
    step = 6 * parameters * TOKENS
    costs = operations()
    assert all(costs.values()), costs
    share = sum(costs.values()) / (SELDOM_EVERY * NEAREST[Cadence.SOMETIMES] * step)
    assert 1e-5 < share < 0.002, (share, costs)
