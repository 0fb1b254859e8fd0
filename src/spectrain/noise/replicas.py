"""Replicas of a gradient from a model and batches, leaving everything as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spectrain.core.errors import InputError
from spectrain.core.torch_private import StatisticsNorm

LossFn = Callable[[nn.Module, Any], Tensor]
"""(model, batch) ↦ mean loss over the examples of the batch, a scalar with a graph."""

Gradients = dict[str, Tensor]
"""Gradient of each parameter by name; zeros where the loss does not depend on it."""


class ReplicaGradients:
    """Gradients of one model on several batches, to be passed over as often as needed.

    Every pass gives the same gradients: the batches are held, and replica r draws its random
    numbers (dropout) from a seed of its own. Parameters, their ``.grad``, buffers such as running
    averages, train/eval modes and the global random states of CPU and accelerators are the same
    before and after each replica; hooks on ``.grad`` do not fire. A model wrapped for distributed
    training must be passed unwrapped.

    Args:
        model: any module.
        loss_fn: mean loss of a batch.
        batches: one for each replica; only the first ``replicas`` are drawn.
        replicas: number R of replicas; as many as there are batches if not given.
        dropout: False puts the model into eval mode, layers that use batch statistics excepted, so
            that sampling is the only source of noise; True puts it into train mode. One of the two
            is always declared.
        parameters: those to differentiate by; all trainable ones if not given.
        generator: seeds the replicas and the drawing of batches; a fresh one if not given, so that
            a shuffling loader gives the same batches each time: pass one to measure repeatedly.

    Raises:
        InputError: no batch, no trainable parameter, or a loss that is not a scalar.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(2, 1, bias=False)
        >>> replicas = ReplicaGradients(model, lambda m, x: m(x).mean(), [torch.ones(4, 2)] * 3)
        >>> [gradients["weight"].tolist() for gradients in replicas][0]
        [[1.0, 1.0]]
        >>> len(replicas), model.weight.grad is None
        (3, True)
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        batches: Iterable[Any],
        *,
        replicas: int | None = None,
        dropout: bool = False,
        parameters: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.dropout = dropout
        named = parameters if parameters is not None else dict(model.named_parameters())
        self.parameters = {name: p for name, p in named.items() if p.requires_grad}
        if not self.parameters:
            raise InputError("no trainable parameter", remedy="unfreeze one or pass others")
        generator = generator or torch.Generator().manual_seed(0)
        with _own_randomness(self.parameters.values(), _seed(generator)):
            self.batches: Sequence[Any] = list(itertools.islice(batches, replicas))
        if not self.batches:
            raise InputError("no batch", remedy="pass at least one batch for each replica")
        self.seeds = tuple(_seed(generator) for _ in self.batches)
        self._used: set[str] = set()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Gradients]:
        for batch, seed in zip(self.batches, self.seeds, strict=True):
            yield self._gradients(batch, seed)

    @property
    def unused(self) -> tuple[str, ...]:
        """Parameters that no loss so far depended on: their zeros are not a measurement."""
        return tuple(name for name in self.parameters if name not in self._used)

    def loss(self, replica: int = 0) -> float:
        """The loss of one replica at the parameters as they are, as its gradient saw it."""
        with torch.no_grad(), self._as_it_was(self.seeds[replica]):
            return float(self.loss_fn(self.model, self.batches[replica]))

    @contextmanager
    def _as_it_was(self, seed: int) -> Iterator[None]:
        with (
            _restored(self.model, dropout=self.dropout),
            _own_randomness(self.parameters.values(), seed),
        ):
            yield

    def _gradients(self, batch: Any, seed: int) -> Gradients:
        with torch.enable_grad(), self._as_it_was(seed):
            loss = self.loss_fn(self.model, batch)
            if loss.ndim != 0 or not loss.requires_grad:
                raise InputError(
                    f"a loss of shape {tuple(loss.shape)}, requires_grad={loss.requires_grad}",
                    remedy="return a scalar that depends on the parameters",
                )
            raw = torch.autograd.grad(loss, list(self.parameters.values()), allow_unused=True)
        named = zip(self.parameters.items(), raw, strict=True)
        gradients = {}
        for (name, parameter), gradient in named:
            if gradient is not None:
                self._used.add(name)
            gradients[name] = torch.zeros_like(parameter) if gradient is None else gradient.detach()
        return gradients


@contextmanager
def _restored(model: nn.Module, *, dropout: bool) -> Iterator[None]:
    """Buffers and modes as before, whatever the forward pass does to them."""
    modes = {module: module.training for module in model.modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train(dropout)
    if not dropout:
        for module in model.modules():
            if isinstance(module, StatisticsNorm):
                module.train(modes[module])
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                if name in buffers:
                    buffer.copy_(buffers[name])


@contextmanager
def _own_randomness(parameters: Iterable[Tensor], seed: int) -> Iterator[None]:
    """Global random numbers from ``seed`` inside, their states as before afterwards.

    Accelerators that hold no parameter are left alone: seeding one would initialise it.
    """
    devices = {p.device for p in parameters if p.device.type != "cpu"}
    kind = next(iter(devices)).type if devices else "cuda"
    indices = [device.index or 0 for device in devices]
    with torch.random.fork_rng(devices=indices, device_type=kind):
        torch.default_generator.manual_seed(seed)
        for index in indices:
            accelerator = torch.get_device_module(kind)
            with accelerator.device(index):
                accelerator.manual_seed(seed)
        yield


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator, device=generator.device))
