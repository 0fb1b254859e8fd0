"""The GPT's replicas with one source of noise at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spectrain.noise import ReplicaGradients
from spectrain.training.gpt import GPT
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config, Sources, Transformer
from spectrain_studies.noise.gpt.experiment import Training, stack, statistics, table

SOURCES = ("sampling", "dropout", "masking", "gain")
DROPOUT, MASKED, GAIN = 0.1, 0.15, 0.2
"""Shares of activations and tokens, and the standard deviation of the gains' factor."""


@dataclass(frozen=True)
class Attributed:
    """One training whose replicas differ by one source alone."""

    settings: Transformer
    sources: Sources
    seed: int


def attributed_cases(config: Config) -> Sequence[Attributed]:
    return [
        Attributed(config.transformer, config.sources, seed) for seed in range(config.sources.seeds)
    ]


def run_attributed(case: Attributed) -> Outcome:
    """Statistics of every matrix with sampling, dropout, masking and gain noise alone."""
    training = Training(case.settings, case.seed)
    training.until(case.sources.step)
    names, rows = list(training.matrices), []
    for source in SOURCES:
        gradients = ReplicaGradients(
            training.model,
            partial(_loss, vocabulary=len(training.corpus.alphabet)),
            _batches(training, source, case.sources.replicas),
            parameters=training.matrices,
        )
        stacks = stack(gradients, names)
        rows.append([statistics(stacks[name], case.settings.directions) for name in names])
    return {"names": names, "sources": SOURCES, **table(rows)}


Batch = tuple[str, int, Tensor, Tensor]


def _batches(training: Training, source: str, count: int) -> list[Batch]:
    """The same windows for all replicas, unless sampling is the source."""
    windows = training.replicas(count if source == "sampling" else 1)
    return [(source, i, *windows[i % len(windows)]) for i in range(count)]


def _loss(model: nn.Module, batch: Batch, *, vocabulary: int) -> Tensor:
    source, number, tokens, targets = batch
    assert isinstance(model, GPT)
    generator = torch.Generator().manual_seed(number)
    if source == "masking":
        other = torch.randint(vocabulary, tokens.shape, generator=generator)
        masked = torch.rand(tokens.shape, generator=generator) < MASKED
        return model.loss(torch.where(masked, other, tokens), targets)
    with _disturbed(model, source, generator):
        return model.loss(tokens, targets)


@contextmanager
def _disturbed(model: GPT, source: str, generator: torch.Generator) -> Iterator[None]:
    """Dropout behind attention and MLP, or a random factor on the gain of each norm's feature."""
    handles: list[RemovableHandle] = []

    def drop(module: nn.Module, args: object, output: Tensor) -> Tensor:
        kept = torch.rand(output.shape, generator=generator) >= DROPOUT
        return output * kept / (1 - DROPOUT)

    def scale(module: nn.Module, args: object, output: Tensor) -> Tensor:
        return output * (1 + GAIN * torch.randn(output.shape[-1], generator=generator))

    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        if source == "dropout" and last in ("attention", "mlp"):
            handles.append(module.register_forward_hook(drop))
        if source == "gain" and last.endswith("norm"):
            handles.append(module.register_forward_hook(scale))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


ATTRIBUTED: Experiment[Config] = Experiment("attribution", run_attributed, attributed_cases)
