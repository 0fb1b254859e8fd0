"""Workloads: a network, its loss and its batches, of nine kinds and several batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain.training.gpt import GPT, GPTConfig
from spectrain_studies.descent.trials.networks import (
    Decoder,
    Encoder,
    Recurrent,
    convolutional,
    perceptron,
)
from spectrain_studies.models.images import Images, load_images

CHARACTERS = 400_000
"""Of the sources of Python's standard library."""
CONTEXT = 32
WIDTH = 32
MASKED = 0.25
"""Share of the tokens that a masked language model has to tell."""
HELD_OUT, TESTED = 1_000_000_000, 2_000_000_000
"""Seeds of the batches that trials compare on, and of those that trainings are judged on."""
NOISE = 0.5
"""Deviation of the noise on pixels, which have deviation 1: no two batches are alike."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is trained.

    Attributes:
        make: from a seed to the network.
        loss: (network, batch) ↦ mean loss.
        batch: from split, seed and step to a batch.
    """

    make: Callable[[int], nn.Module]
    loss: Callable[[nn.Module, Any], Tensor]
    batch: Callable[[str, int, int], Any]

    def batches(self, seed: int) -> Callable[[int], Any]:
        """Training batches by step."""
        return lambda step: self.batch("train", seed, step)

    def held_out(self, count: int) -> list[Any]:
        """Batches that trials compare on."""
        return [self.batch("validation", HELD_OUT, number) for number in range(count)]

    def tested(self, count: int) -> list[Any]:
        """Batches that trainings are judged on."""
        return [self.batch("validation", TESTED, number) for number in range(count)]


@cache
def text() -> Corpus:
    """What the language models read, loaded once."""
    return load_corpus("python", characters=CHARACTERS)


@cache
def images(split: str) -> Images:
    """Digits of 8 × 8 pixels."""
    return load_images("digits", split="train" if split == "train" else "test")


def _next_token(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def _windows(size: int, split: str, seed: int, step: int) -> tuple[Tensor, Tensor]:
    part = "train" if split == "train" else "validation"
    generator = step_generator(seed, step)
    return text().batch(part, size=size, context=CONTEXT, generator=generator)  # type: ignore[arg-type]


def _masked(size: int, split: str, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Tokens of which some are the mask, and the tokens themselves where they are, else −100."""
    tokens, _ = _windows(size, split, seed, step)
    hidden = torch.rand(tokens.shape, generator=step_generator(seed + 1, step)) < MASKED
    hidden[:, 0] = True
    mask = len(text().alphabet)
    return tokens.masked_fill(hidden, mask), tokens.masked_fill(~hidden, -100)


def _pixels(size: int, patch: int | None, split: str, seed: int, step: int) -> tuple[Any, Tensor]:
    """Noisy digits as images, or as rows of patches; and their classes."""
    given, generator = images(split), step_generator(seed, step)
    chosen = torch.randint(len(given.labels), (size,), generator=generator)
    pixels = given.pixels[chosen]
    x = (pixels - 0.3) / 0.38 + NOISE * torch.randn(pixels.shape, generator=generator)
    x = x.unsqueeze(1)
    if patch is not None:
        x = functional.unfold(x, patch, stride=patch).mT
    return x, given.labels[chosen]


def _class(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _gpt(seed: int, **options: Any) -> nn.Module:
    shape = {"layers": 1, "heads": 4, "width": WIDTH, "context": CONTEXT, "norm": "rmsnorm"}
    config = GPTConfig(vocabulary=len(text().alphabet), **{**shape, **options})
    return GPT(config, generator=torch.Generator().manual_seed(seed))


def _decoder(seed: int, **options: int) -> nn.Module:
    vocabulary = len(text().alphabet)
    return _seeded(partial(Decoder, vocabulary, CONTEXT, width=WIDTH, layers=1, **options), seed)


def _language(make: Callable[[int], nn.Module], size: int) -> Workload:
    return Workload(make, _next_token, partial(_windows, size))


WORKLOADS: dict[str, Workload] = {
    "GPT, ReLU²": _language(
        partial(_gpt, activation="relu2", position="rope", qk_norm=True), size=4
    ),
    "convolutions": Workload(
        lambda seed: _seeded(lambda: convolutional(10), seed), _class, partial(_pixels, 16, None)
    ),
    "LSTM": _language(
        lambda seed: _seeded(lambda: Recurrent(len(text().alphabet), 2 * WIDTH), seed), size=4
    ),
    "perceptron, large batch": Workload(
        lambda seed: _seeded(lambda: perceptron(64, 10), seed), _class, partial(_pixels, 128, None)
    ),
    "GPT, tied, small batch": _language(partial(_gpt, tied=True, init="normal"), size=2),
    "decoder, grouped queries": _language(partial(_decoder, shared=2, experts=0), size=4),
    "masked language model": Workload(
        lambda seed: _seeded(
            lambda: Encoder(
                len(text().alphabet) + 1, len(text().alphabet), CONTEXT, width=WIDTH, patches=False
            ),
            seed,
        ),
        _next_token,
        partial(_masked, 4),
    ),
    "decoder, experts": _language(partial(_decoder, shared=4, experts=4), size=4),
    "ViT": Workload(
        lambda seed: _seeded(lambda: Encoder(4, 10, 16, width=WIDTH, patches=True), seed),
        _class,
        partial(_pixels, 8, 2),
    ),
    "GPT, SwiGLU, large batch": _language(
        partial(_gpt, activation="swiglu", mlp_ratio=2.0), size=16
    ),
}
"""By name."""

LANGUAGE, VISION = 2.0, 1.0
"""Factors on the usual rates: by a search over factors of 2 on a seed that is used nowhere else."""
RATES = {
    name: VISION if name in ("ViT", "convolutions", "perceptron, large batch") else LANGUAGE
    for name in WORKLOADS
}
"""Factor on the rates of the usual routing, by workload."""
