"""Trainings of the kinds that people have: what a benchmark watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW, Optimizer

from spectrain.training.corpus import load_corpus
from spectrain.training.gpt import GPT, preset
from spectrain.training.schedule import learning_rate_factor

Loss = Callable[[nn.Module, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training.

    Attributes:
        name: on the command line.
        what: of the table.
        steps: how long it lasts.
        make: the model and its optimizer.
        loss: of one batch.
        clip: largest norm of the whole gradient.
        warmup: share of the steps in which the learning rate rises.
    """

    name: str
    what: str
    steps: int
    make: Callable[[], tuple[nn.Module, Optimizer]]
    loss: Callable[[], Loss]
    clip: float | None = None
    warmup: float = 0.0


class Training:
    """A recipe at work: the loop that a user writes by hand."""

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(0)
        self.recipe = recipe
        self.model, self.optimizer = recipe.make()
        self.loss, self.batches = recipe.loss(), torch.Generator().manual_seed(1)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, number: int, log: Callable[..., None] | None = None) -> None:
        """One step, with the logging that a user would add."""
        recipe = self.recipe
        if recipe.warmup:
            factor = learning_rate_factor(
                number,
                steps=recipe.steps,
                warmup=recipe.warmup,
                cooldown=1 - recipe.warmup,
                cooldown_shape="cosine",
            )
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * factor
        loss = self.loss(self.model, self.batches)
        loss.backward()
        if recipe.clip is not None:
            clip_grad_norm_(self.model.parameters(), recipe.clip)
        if log is not None:
            log(loss=loss.detach())
        self.optimizer.step()
        self.optimizer.zero_grad()


def _next_token(size: int, context: int, characters: bool) -> Callable[[], Loss]:
    """Windows of Python's own sources; tokens at random where the vocabulary is no alphabet."""

    def make() -> Loss:
        text = load_corpus("python", characters=500_000).train.long() if characters else None

        def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
            if text is None:
                windows = torch.randint(50_257, (size, context + 1), generator=generator)
            else:
                starts = torch.randint(len(text) - context - 1, (size,), generator=generator)
                windows = torch.stack([text[s : s + context + 1] for s in starts.tolist()])
            logits = model(windows[:, :-1])
            return cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())

        return loss

    return make


def _nanogpt() -> tuple[nn.Module, Optimizer]:
    alphabet = load_corpus("python", characters=500_000).alphabet
    shape = preset("nanogpt", vocabulary=len(alphabet), layers=4, heads=4, width=128, context=64)
    model = GPT(shape, generator=torch.Generator().manual_seed(0))
    return model, AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)


def _gpt2() -> tuple[nn.Module, Optimizer]:
    shape = preset("nanogpt", vocabulary=50_257, layers=12, heads=12, width=768, context=1024)
    model = GPT(shape, generator=torch.Generator().manual_seed(0))
    return model, AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)


def _perceptron() -> tuple[nn.Module, Optimizer]:
    model = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    return model, AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)


def _classes() -> Loss:
    teacher = torch.randn(64, 10, generator=torch.Generator().manual_seed(2))

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        images = torch.randn(128, 64, generator=generator)
        noise = torch.randn(128, 10, generator=generator)
        return cross_entropy(model(images), (images @ teacher / 4 + noise).argmax(1))

    return loss


class _Tagger(nn.Module):
    """A large embedding and little else."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100_000, 768)
        self.head = nn.Linear(768, 16)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens).mean(1))


def _embedding() -> tuple[nn.Module, Optimizer]:
    model = _Tagger()
    return model, AdamW(model.parameters(), lr=1e-3)


def _tags() -> Loss:
    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        tokens = torch.randint(100_000, (32, 64), generator=generator)
        return cross_entropy(model(tokens), tokens[:, 0] % 16)

    return loss


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "nanogpt",
            "nanoGPT, 4 layers, width 128, 12×64 characters",
            2001,
            _nanogpt,
            _next_token(12, 64, characters=True),
            clip=1.0,
            warmup=0.05,
        ),
        Recipe("mlp", "3-layer perceptron, width 256", 2000, _perceptron, _classes),
        Recipe(
            "gpt2",
            "GPT-2 small, 2×128 tokens",
            100,
            _gpt2,
            _next_token(2, 128, characters=False),
            clip=1.0,
        ),
        Recipe("embedding", "an embedding of 100,000×768", 60, _embedding, _tags),
    )
}
