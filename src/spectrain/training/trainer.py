"""Model, optimizers and text of one training, and what a step does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from spectrain.core import SpectrainError
from spectrain.optim import read_plan
from spectrain.training.checkpoints import load_checkpoint, save_checkpoint
from spectrain.training.config import TrainConfig
from spectrain.training.corpus import Corpus, step_generator
from spectrain.training.gpt import GPT
from spectrain.training.optimizers import make_optimizers, set_learning_rates, usual_plan
from spectrain.training.schedule import learning_rate_factor

EVALUATION_BATCHES, EVALUATION_SIZE = 4, 64


Batch = tuple[Int[Tensor, "size context"], Int[Tensor, "size context"]]


class DivergenceError(SpectrainError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Trainer:
    """All that a training holds in memory: a step is a function of this and of its number.

    Attributes:
        config: the settings.
        corpus: the text.
        model: what is trained.
        optimizers: each holds its own share of the parameters.
        held_out: windows of the held-out text, the same for all runs of one text and context.
    """

    config: TrainConfig
    corpus: Corpus
    model: GPT
    optimizers: Sequence[Optimizer]
    held_out: Sequence[Batch]

    @classmethod
    def of(cls, config: TrainConfig, corpus: Corpus) -> Trainer:
        """A training that has not begun.

        Raises:
            InputError: there is no such preset, sizes do not fit, or the text is too short.
        """
        shape = config.model(len(corpus.alphabet))
        model = GPT(shape, generator=torch.Generator().manual_seed(config.seed))
        plan = read_plan(config.plan) if config.plan else usual_plan(model, config.optimizer)
        optimizers = make_optimizers(
            model,
            plan,
            learning_rate=config.learning_rate,
            muon_learning_rate=config.muon_learning_rate,
            weight_decay=config.weight_decay,
        )
        windows = torch.Generator().manual_seed(0)
        held_out = [
            corpus.batch(
                "validation", size=EVALUATION_SIZE, context=shape.context, generator=windows
            )
            for _ in range(EVALUATION_BATCHES)
        ]
        return cls(config, corpus, model, optimizers, held_out)

    def backward(self, step: int) -> float:
        """Leave the gradient of a step, averaged over its batches and clipped; return the loss.

        Raises:
            DivergenceError: the loss is infinite or NaN.
        """
        config, total = self.config, 0.0
        generator = step_generator(config.seed, step)
        for _ in range(config.accumulation):
            tokens, targets = self.corpus.batch(
                "train",
                size=config.batch_size,
                context=self.model.config.context,
                generator=generator,
            )
            loss = self.model.loss(tokens, targets) / config.accumulation
            torch.autograd.backward(loss)
            total += loss.item()
        if not isfinite(total):
            raise DivergenceError(f"the loss is {total} at step {step}; lower the learning rate")
        if config.clip:
            clip_grad_norm_(self.model.parameters(), config.clip)
        return total

    def update(self, step: int) -> None:
        """Let the optimizers step at the step's learning rate."""
        factor = learning_rate_factor(
            step,
            steps=self.config.steps,
            warmup=self.config.warmup,
            cooldown=self.config.cooldown,
            cooldown_shape=self.config.cooldown_shape,
        )
        set_learning_rates(self.optimizers, factor)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()

    @torch.no_grad()
    def evaluate(self) -> float:
        """Mean loss on the held-out windows."""
        self.model.eval()
        losses = [self.model.loss(tokens, targets) for tokens, targets in self.held_out]
        self.model.train()
        return torch.stack(losses).mean().item()

    def save(self, step: int) -> None:
        """Replace the run's checkpoint."""
        save_checkpoint(self.config.out, step=step, model=self.model, optimizers=self.optimizers)

    def load(self) -> int:
        """Take up the run's checkpoint, if there is one; return the number of steps done."""
        return load_checkpoint(self.config.out, model=self.model, optimizers=self.optimizers)
