"""The probes: what is read of a training step, and when."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, Feed, Record, Source
from spectrain.monitor.activations import ActivationStore
from spectrain.monitor.guard import Guard
from spectrain.monitor.measuring import Measured, measure_blocks
from spectrain.monitor.sample import Sample
from spectrain.monitor.settings import group_records
from spectrain.network.taps import activation
from spectrain.optim.decay import decay_factor

Parameters = Mapping[str, nn.Parameter]


class Probe:
    """Reads one kind of quantity during a sampled step and leaves it in the sample."""

    name: str

    def attach(self, *, full: bool) -> None:
        """Before the step's forward pass; what changes slowly is read in ``full`` samples only."""

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """Just before an optimizer steps; ``blocks`` are those it owns."""

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """Just after."""

    def detach(self, sample: Sample) -> None:
        """After the last optimizer: hand over what was read and let go of everything."""


class ActivationProbe(Probe):
    """Stable rank of what feeds each block, from hooks that keep no activation."""

    name = "activation"

    def __init__(self, model: nn.Module, blocks: Iterable[Block], guard: Guard) -> None:
        self._model = model
        self._guard = guard
        self._feeds: dict[str, list[Feed]] = defaultdict(list)
        self._readers: list[tuple[Block, Source, Feed]] = []
        for block in blocks:
            for source, feed in _feeds(block):
                self._readers.append((block, source, feed))
                if feed not in self._feeds[feed.module]:
                    self._feeds[feed.module].append(feed)
        self._store = ActivationStore()
        self._handles: list[RemovableHandle] = []

    def attach(self, *, full: bool) -> None:
        self._store = ActivationStore()
        for name, feeds in self._feeds.items():
            hook = self._hook(feeds)
            module = self._model.get_submodule(name)
            self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def _hook(self, feeds: list[Feed]) -> Any:
        def read(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self.name in self._guard.disabled or not torch.is_grad_enabled():
                return
            with self._guard(self.name):
                arguments = _positional(module, args, kwargs)
                for feed in feeds:
                    source = arguments[feed.argument]
                    source = source.data if isinstance(source, PackedSequence) else source
                    self._store.add(feed, source, activation(feed, module, arguments))

        return read

    def detach(self, sample: Sample) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        sample.memory_bytes += self._store.nbytes
        norms = self._store.norms()
        for block, source, feed in self._readers:
            if feed in norms:
                sample.activations.append((block, source, norms[feed]))
            elif feed in self._store.inseparable:
                reason = "several modules shared this input at first and not later in the step"
                sample.records.append(
                    Record(sample.step, block.name, source, "stable_rank", None, reason=reason)
                )
        self._store = ActivationStore()


class BackwardProbe(Probe):
    """Frobenius norm of each block's gradient as the last backward pass left it."""

    name = "backward"

    def __init__(self, parameters: Parameters, blocks: Iterable[Block], guard: Guard) -> None:
        self._guard = guard
        self._blocks: dict[str, list[Block]] = defaultdict(list)
        for block in blocks:
            self._blocks[block.parameter].append(block)
        self._parameters = parameters
        self._norms: dict[Block, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def attach(self, *, full: bool) -> None:
        for name, blocks in self._blocks.items():
            parameter = self._parameters[name]
            hook = self._hook(blocks)
            self._handles.append(parameter.register_post_accumulate_grad_hook(hook))

    def _hook(self, blocks: list[Block]) -> Any:
        def read(parameter: Tensor) -> None:
            if self.name in self._guard.disabled or parameter.grad is None:
                return
            with self._guard(self.name):
                gradient = _dense(parameter.grad)
                for block in blocks:
                    matrix = block.view.of(gradient)
                    dtype = torch.promote_types(matrix.dtype, torch.float32)
                    self._norms[block] = torch.linalg.vector_norm(matrix, dtype=dtype)

        return read

    def detach(self, sample: Sample) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        sample.backward.update(self._norms)
        self._norms = {}


class GradientProbe(Probe):
    """Spectra of the gradients that the optimizer is about to use."""

    name = "gradient"

    def __init__(self, parameters: Parameters, names: Sequence[str]) -> None:
        self._parameters = parameters
        self._names = names
        self._measured: list[Measured] = []

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        scale = getattr(optimizer, "grad_scale", None)
        gradients = {}
        for block in blocks:
            gradient = self._parameters[block.parameter].grad
            if gradient is not None:
                gradient = block.view.of(_dense(gradient))
                gradients[block] = gradient if scale is None else gradient / scale
        self._measured += measure_blocks(gradients, Source.GRADIENT, self._names)

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        self._measured = []


class UpdateProbe(Probe):
    """Spectra of the applied update; in full samples of it without decay and of the weights."""

    name = "update"

    def __init__(self, parameters: Parameters, names: Mapping[Source, Sequence[str]]) -> None:
        self._parameters = parameters
        self._names = names
        self._before: dict[str, Tensor] = {}
        self._factor: dict[str, float | None] = {}
        self._measured: list[Measured] = []
        self._undecided: list[Block] = []
        self._bytes = 0
        self._full = True

    def attach(self, *, full: bool) -> None:
        self._full = full

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for block in blocks:
            parameter = self._parameters[block.parameter]
            if parameter.grad is not None and block.parameter not in self._before:
                self._before[block.parameter] = parameter.detach().clone()
                factor = decay_factor(optimizer, groups[id(parameter)])
                self._factor[block.parameter] = factor
        self._bytes = sum(before.nbytes for before in self._before.values())

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        updates, directions, weights = {}, {}, {}
        for block in blocks:
            after = block.view.of(self._parameters[block.parameter].detach())
            if self._full:
                weights[block] = after
            if block.parameter not in self._before:
                continue
            before = block.view.of(self._before[block.parameter])
            factor = self._factor[block.parameter]
            updates[block] = after.double() - before.double()
            if not self._full:
                continue
            if factor is None:
                self._undecided.append(block)
            elif factor != 1.0:
                directions[block] = after.double() - factor * before.double()
        for source, matrices in (
            (Source.UPDATE, updates),
            (Source.DIRECTION, directions),
            (Source.WEIGHT, weights),
        ):
            if self._names[source]:
                self._measured += measure_blocks(matrices, source, self._names[source])
        for block in blocks:
            self._before.pop(block.parameter, None)

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        sample.memory_bytes += self._bytes
        reason = "the optimizer does not tell whether its weight decay is decoupled"
        sample.records += [
            Record(sample.step, block.name, Source.DIRECTION, "frobenius_norm", None, reason=reason)
            for block in self._undecided
        ]
        self._before, self._measured, self._undecided = {}, [], []


class SettingsProbe(Probe):
    """Learning rate, decay, momenta and betas of every parameter group."""

    name = "settings"

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._index = {id(optimizer): number for number, optimizer in enumerate(optimizers)}
        self._records: list[Record] = []

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._records += group_records(optimizer, self._index[id(optimizer)], step=0)

    def detach(self, sample: Sample) -> None:
        sample.settings += self._records
        self._records = []


def _feeds(block: Block) -> list[tuple[Source, Feed]]:
    literal, criterion = block.literal_input, block.criterion_input
    feeds = [] if literal is None else [(Source.INPUT, literal)]
    if criterion is not None and criterion != literal:
        feeds.append((Source.CRITERION_INPUT, criterion))
    return feeds


def _positional(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    return inspect.signature(module.forward).bind(*args, **kwargs).args if kwargs else args


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
