"""Many copies of one model as a single tensor program: one copy a seed and step size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy

from spectrain.core import InputError
from spectrain.training.gpt import GPT, preset
from spectrain_studies.rank.architectures import (
    Bag,
    Convolutions,
    Gated,
    Mixer,
    Ngram,
    Perceptron,
    Recurrent,
    drawn,
)
from spectrain_studies.rank.config import Task
from spectrain_studies.rank.data import TAUGHT, Batch, corpus_of


class Stack:
    """Copies of a task's model, each drawn from its own seed, with parameters stacked in front.

    Attributes:
        task: what they learn.
        seeds: one a copy.
        module: the model whose forward pass they share.
        parameters: by name, the copies along the first dimension.
        hidden: names of the matrices between the first table and the head: what Muon is for.
    """

    def __init__(self, task: Task, seeds: Sequence[int]) -> None:
        self.task, self.seeds = task, tuple(seeds)
        copies = [make_model(task, seed) for seed in self.seeds]
        self.module = copies[0]
        named = [dict(copy.named_parameters()) for copy in copies]
        self.parameters = {
            name: nn.Parameter(torch.stack([one[name].detach() for one in named]))
            for name in named[0]
        }
        outer = {"embedding.weight", "head.weight"}
        self.matrices = [name for name, p in self.parameters.items() if p.ndim >= 3]
        self.hidden = [name for name in self.matrices if name not in outer]

    def losses(
        self,
        batch: Batch,
        *,
        shared: bool = False,
        parameters: dict[str, Tensor] | None = None,
    ) -> Float[Tensor, " copies"]:
        """Mean cross-entropy of every copy, on its own part of the batch or on a shared one."""

        def one(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            logits = functional_call(self.module, weights, (x,))
            return cross_entropy(logits.flatten(0, -2), y.flatten())

        dims = (0, None, None) if shared else (0, 0, 0)
        with sdpa_kernel(SDPBackend.MATH):  # the one that maps over copies
            return vmap(one, in_dims=dims)(parameters or dict(self.parameters), *batch)

    def clone(self) -> dict[str, Tensor]:
        """A copy of all parameters."""
        return {name: p.detach().clone() for name, p in self.parameters.items()}


def make_model(task: Task, seed: int) -> nn.Module:
    """The task's model with weights drawn from the seed.

    Raises:
        InputError: the kind is unknown.

    Example:
        >>> [name for name, _ in make_model(Task("mlp", 1, 8, 1), 0).named_parameters()]
        ['hidden.0.weight', 'hidden.0.bias', 'head.weight', 'head.bias']
    """
    generator = torch.Generator().manual_seed(seed)
    match task.kind:
        case "gpt":
            config = preset(
                "modern",
                vocabulary=_letters(task),
                layers=task.layers,
                heads=2,
                width=task.width,
                context=task.context,
                activation="gelu",
                zero_init_projections=False,
            )
            return GPT(config, generator=generator)
        case "mlp":
            return drawn(Perceptron(task.layers, task.width), generator)
        case "linear":
            plain = Perceptron(task.layers, task.width, activation=nn.Identity())
            return drawn(plain, generator, gain=1.0)
        case "conv":
            return drawn(Convolutions(task.layers, task.width), generator)
        case "teacher" | "scales":
            bent = Perceptron(task.layers, task.width, activation=torch.tanh)
            return drawn(bent, generator, gain=1.0)
        case "gated":
            return drawn(Gated(task.layers, task.width), generator, gain=1.0)
        case "mixer":
            return drawn(Mixer(task.layers, task.width), generator, gain=1.0)
        case "lstm":
            return drawn(Recurrent(task.layers, task.width, _letters(task)), generator, gain=1.0)
        case "ngram":
            return drawn(Ngram(task.layers, task.width, _letters(task)), generator, gain=1.0)
        case "bag":
            return drawn(Bag(task.layers, task.width, _letters(task)), generator, gain=1.0)
    if task.kind in TAUGHT:
        return drawn(Perceptron(task.layers, task.width), generator)
    raise InputError(
        f"there is no model {task.kind!r}",
        remedy="choose gpt, lstm, ngram, bag, mlp, linear, conv, gated, mixer or one of "
        + ", ".join(sorted(TAUGHT)),
    )


def _letters(task: Task) -> int:
    return len(corpus_of(task).alphabet)
