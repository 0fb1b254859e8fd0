"""The data of the study: batches by seed and step, held-out and training sets to evaluate on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from spectrain.core import InputError
from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain_studies.models.images import load_images
from spectrain_studies.rank.architectures import CLASSES, SIDE
from spectrain_studies.rank.config import Task

HELD_OUT = 16
"""Sequences on which losses are evaluated."""
HELD_OUT_IMAGES = 128
"""Images on which losses are evaluated."""

TEXT = frozenset({"gpt", "lstm", "ngram", "bag"})
"""Kinds of models that read text."""

TAUGHT = frozenset({"teacher", "rare", "tree", "decile", "vote", "scales", "pairs"})
"""Kinds of models that learn a rule from fresh draws."""

_EVALUATION = 2**31
"""Seed of the evaluation sequences, beyond those of any run."""

Batch = tuple[Tensor, Int[Tensor, "*batch"]]


@dataclass(frozen=True)
class Pixels:
    """Images of 14 × 14, training and test."""

    train: Float[Tensor, "n 1 side side"]
    labels: Int[Tensor, " n"]
    test: Float[Tensor, "m 1 side side"]
    test_labels: Int[Tensor, " m"]


def available(task: Task) -> bool:
    """Whether the task's data is on this machine: images may be missing, all else is there."""
    if task.kind in TEXT | TAUGHT:
        return True
    try:
        _pixels(task.images, task.examples)
    except InputError:
        return False
    return True


def draw(task: Task, seeds: Sequence[int], step: int) -> Batch:
    """The batch of each seed at a step, along a new first dimension."""
    parts = [_draw(task, step_generator(seed, step)) for seed in seeds]
    return torch.stack([x for x, _ in parts]), torch.stack([y for _, y in parts])


def held_out(task: Task, *, times: int = 1) -> Batch:
    """What no run trains on; so many times as much of it as usual."""
    match _source(task):
        case "text":
            return corpus_of(task).batch(
                "validation",
                size=times * HELD_OUT,
                context=task.context,
                generator=step_generator(_EVALUATION, 0),
            )
        case "taught":
            generator = step_generator(_EVALUATION, 0)
            return taught(task.kind, times * HELD_OUT_IMAGES, generator)
    pixels = _pixels(task.images, task.examples, times)
    return pixels.test, pixels.test_labels


def trained_on(task: Task) -> Batch:
    """A fixed part of the training data, as large as the held-out one."""
    match _source(task):
        case "text":
            return corpus_of(task).batch(
                "train",
                size=HELD_OUT,
                context=task.context,
                generator=step_generator(_EVALUATION, 1),
            )
        case "taught":
            return taught(task.kind, HELD_OUT_IMAGES, step_generator(_EVALUATION, 1))
    pixels = _pixels(task.images, task.examples)
    return pixels.train[:HELD_OUT_IMAGES], pixels.labels[:HELD_OUT_IMAGES]


def taught(kind: str, count: int, generator: torch.Generator) -> Batch:
    """Rows of a table as images, labelled by a fixed rule that most kinds read off few columns.

    Columns are standard normal, but where the rule says otherwise:

    - ``teacher``: column j has variance 1/j, and a tanh network labels.
    - ``scales``: the same columns and network, each column in a unit of its own, 0.1 to 10.
    - ``rare``: column j is 1 with probability 1/(1 + j) and else 0, and a linear map labels.
    - ``pairs``: two categories of 98, one-hot, and the table of a bilinear map labels.
    - ``tree``: the signs of the first three columns label.
    - ``decile``: the tenth of its distribution in which the first lies does.
    - ``vote``: the number of positive ones among the first nine does.
    """
    columns = torch.arange(1, SIDE * SIDE + 1)
    x = torch.randn(count, SIDE * SIDE, generator=generator)
    first, second, units = _teacher()
    match kind:
        case "tree":
            labels = ((x[:, :3] > 0) * torch.tensor([1, 2, 4])).sum(-1)
        case "decile":
            labels = (CLASSES * torch.special.ndtr(x[:, 0])).long().clamp_max(CLASSES - 1)
        case "vote":
            labels = (x[:, :9] > 0).sum(-1)
        case "rare":
            x = (torch.rand(count, SIDE * SIDE, generator=generator) < 1 / (1 + columns)).float()
            labels = (x @ first @ second).argmax(-1)
        case "pairs":
            half = SIDE * SIDE // 2
            drawn = torch.randint(half, (count, 2), generator=generator)
            x = one_hot(drawn, half).flatten(1).float()
            left, right = first[drawn[:, 0]], first[half + drawn[:, 1]]
            labels = ((left * right) @ second).argmax(-1)
        case _:
            x = columns.rsqrt() * x
            labels = ((x @ first).tanh() @ second).argmax(-1)
            x = x * units if kind == "scales" else x
    return x.reshape(count, 1, SIDE, SIDE), labels


def corpus_of(task: Task) -> Corpus:
    """The text of a GPT."""
    return _corpus(task.text, task.characters)


def _draw(task: Task, generator: torch.Generator) -> Batch:
    match _source(task):
        case "text":
            return corpus_of(task).batch(
                "train", size=task.batch, context=task.context, generator=generator
            )
        case "taught":
            return taught(task.kind, task.batch, generator)
    pixels = _pixels(task.images, task.examples)
    chosen = torch.randint(len(pixels.train), (task.batch,), generator=generator)
    return pixels.train[chosen], pixels.labels[chosen]


def _source(task: Task) -> Literal["text", "taught", "images"]:
    if task.kind in TEXT:
        return "text"
    return "taught" if task.kind in TAUGHT else "images"


@lru_cache(maxsize=1)
def _teacher() -> tuple[Tensor, Tensor, Tensor]:
    """Its weights, of 32 hidden units, and the units of columns."""
    generator = step_generator(_EVALUATION, 2)
    first = torch.randn(SIDE * SIDE, 32, generator=generator)
    second = torch.randn(32, CLASSES, generator=generator)
    return first, second, 10 ** (2 * torch.rand(SIDE * SIDE, generator=generator) - 1)


@lru_cache(maxsize=4)
def _corpus(text: str, characters: int) -> Corpus:
    return load_corpus(text, characters=characters)


@lru_cache(maxsize=4)
def _pixels(source: str, examples: int, times: int = 1) -> Pixels:
    train = load_images(source, split="train", count=examples)
    test = load_images(source, split="test", count=times * HELD_OUT_IMAGES)
    mean, deviation = train.pixels.mean(), train.pixels.std()

    def prepared(pixels: Tensor) -> Tensor:
        return avg_pool2d((pixels.unsqueeze(1) - mean) / deviation, 2)

    return Pixels(prepared(train.pixels), train.labels, prepared(test.pixels), test.labels)
