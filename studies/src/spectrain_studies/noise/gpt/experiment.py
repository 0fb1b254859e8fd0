"""The GPT's own replicas through training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from spectrain.noise import (
    DirectionalNoise,
    ReplicaGradients,
    deviations,
    directions,
    energy_share,
    moments,
)
from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain.training.gpt import GPT, GPTConfig
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config, Transformer
from spectrain_studies.noise.simulated.experiment import components, describe

CHARACTERS = 2_000_000
"""Of the sources of Python's standard library."""


@cache
def text() -> Corpus:
    """What all trainings read, loaded once."""
    return load_corpus("python", characters=CHARACTERS)


@dataclass(frozen=True)
class Trained:
    """One training with replicas at its checkpoints."""

    settings: Transformer
    seed: int


def trained_cases(config: Config) -> Sequence[Trained]:
    return [Trained(config.transformer, seed) for seed in range(config.transformer.seeds)]


def make_gpt(settings: Transformer, vocabulary: int, seed: int) -> GPT:
    """A GPT with ReLU and layer norms with gains, so that channels and gains may be scaled."""
    shape = GPTConfig(
        vocabulary=vocabulary,
        layers=settings.layers,
        heads=settings.heads,
        width=settings.width,
        context=settings.context,
        activation="relu",
    )
    return GPT(shape, generator=torch.Generator().manual_seed(seed))


class Training:
    """A GPT that trains on demand."""

    def __init__(self, settings: Transformer, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.corpus = text()
        self.model = make_gpt(settings, len(self.corpus.alphabet), seed)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.learning_rate)
        self.step = 0

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The windows of a step, or of a replica where the step is negative."""
        size, context = self.settings.batch, self.settings.context
        generator = step_generator(self.seed, step)
        return self.corpus.batch("train", size=size, context=context, generator=generator)

    def until(self, step: int) -> None:
        """Train up to a step."""
        while self.step < step:
            self.model.loss(*self.batch(self.step)).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1

    def replicas(self, count: int, start: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Batches of their own, apart from those of training."""
        return [self.batch(10_000_000 + 1000 * self.step + start + i) for i in range(count)]

    @property
    def matrices(self) -> dict[str, nn.Parameter]:
        """Matrices of the transformer blocks, the embedding and the head."""
        return {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if parameter.ndim == 2 and not name.startswith("position")
        }


def run_trained(case: Trained) -> Outcome:
    """Statistics of every matrix at every checkpoint."""
    training = Training(case.settings, case.seed)
    names, tables = list(training.matrices), []
    for step in case.settings.checkpoints:
        training.until(step)
        gradients = ReplicaGradients(
            training.model,
            loss_of,
            training.replicas(case.settings.replicas),
            parameters=training.matrices,
        )
        stacks = stack(gradients, names)
        tables.append([statistics(stacks[name], case.settings.directions) for name in names])
    return {"names": names, "checkpoints": case.settings.checkpoints, **table(tables)}


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean loss of a batch of windows."""
    assert isinstance(model, GPT)
    return model.loss(*batch)


def stack(gradients: ReplicaGradients, names: Sequence[str]) -> dict[str, Tensor]:
    """Replicas of every matrix."""
    passes = list(gradients)
    return {name: torch.stack([one[name] for one in passes]) for name in names}


def statistics(replicas: Tensor, k: int) -> dict[str, object]:
    """Directions, components and the share of signal of one matrix."""
    found = directions(replicas, k=min(k, *replicas.shape[1:]))
    noise = DirectionalNoise.of(found, (replicas.shape[1], replicas.shape[2]))
    summary = moments(replicas)
    share = energy_share(deviations(replicas, summary)).value
    return {
        **describe(noise),
        **components(found.projections, found.mean.values),
        "rho": float("nan") if share is None else share,
        "norm": summary.mean.norm().item(),
    }


def table(rows: Sequence[Sequence[Mapping[str, object]]]) -> dict[str, object]:
    """Arrays over checkpoints and matrices."""
    names = rows[0][0].keys()
    return {name: np.array([[cell[name] for cell in row] for row in rows]) for name in names}


TRAINED: Experiment[Config] = Experiment("transformer", run_trained, trained_cases)
