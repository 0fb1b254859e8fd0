"""The GPT of the study: its data, its schedule, its trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from spectrain.core import Block
from spectrain.network import find_blocks
from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain.training.gpt import GPT, preset
from spectrain_studies.descent.config_transformer import GPTSizes

CHARACTERS = 400_000
"""Of the sources of Python's standard library."""

BETAS = (0.9, 0.95)
EVALUATION = 8
"""Batches of 16 held-out windows."""

Batch = tuple[Tensor, Tensor]


@cache
def text() -> Corpus:
    """What all trainings read, loaded once."""
    return load_corpus("python", characters=CHARACTERS)


def make_gpt(network: GPTSizes, seed: int) -> GPT:
    """RMSNorm without gain, rotary positions, QK-norm, zero-initialised projections, value tables.

    Example:
        >>> sizes = GPTSizes(layers=2, heads=2, width=8, context=4, value_embeddings=1)
        >>> len(matrices(make_gpt(sizes, seed=0)))
        15
    """
    shape = preset(
        "modern",
        vocabulary=len(text().alphabet),
        layers=network.layers,
        heads=network.heads,
        width=network.width,
        context=network.context,
        value_embeddings=network.value_embeddings,
        activation=network.activation,
    )
    return GPT(shape, generator=torch.Generator().manual_seed(seed))


def matrices(model: GPT) -> tuple[Block, ...]:
    """All its blocks; it has no gains."""
    return find_blocks(model).blocks


def windows(network: GPTSizes, seed: int, step: int) -> Batch:
    """The batch of a step, the same for all optimizers."""
    generator = step_generator(seed, step)
    return text().batch("train", size=network.batch, context=network.context, generator=generator)


def train(
    model: GPT,
    optimizers: Sequence[Optimizer],
    network: GPTSizes,
    steps: int,
    seed: int,
    *,
    before_step: Callable[[int, Batch], None] = lambda step, batch: None,
    after_step: Callable[[float], None] = lambda loss: None,
) -> list[float]:
    """Train with 5 % warm-up and linear decay over the second half; the losses of the batches.

    Args:
        before_step: called with gradients in place.
        after_step: called with the loss.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peaks = [group["lr"] for group in groups]
    losses = []
    for step in range(steps):
        batch = windows(network, seed, step)
        loss = model.loss(*batch)
        torch.autograd.backward(loss)
        before_step(step, batch)
        factor = min(1.0, (step + 1) / (0.05 * steps), 2 * (steps - step) / steps)
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = factor * peak
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        after_step(losses[-1])
    return losses


@torch.no_grad()
def held_out(model: GPT) -> float:
    """Loss on fixed windows of the held-out text, nats a character; infinite if it diverged."""
    generator = torch.Generator().manual_seed(0)
    context = model.config.context
    batches = (
        text().batch("validation", size=16, context=context, generator=generator)
        for _ in range(EVALUATION)
    )
    loss = torch.stack([model.loss(*batch) for batch in batches]).mean().item()
    return loss if loss == loss else float("inf")


def adamw(parameters: Iterable[Tensor], rate: float) -> AdamW:
    """AdamW without decay."""
    return AdamW([*parameters], lr=rate, betas=BETAS, weight_decay=0.0, fused=True)
