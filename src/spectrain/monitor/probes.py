"""The probes: what is read of a training step, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, Record, Source
from spectrain.monitor.guard import Guard
from spectrain.monitor.holdings import Holdings, square_sum
from spectrain.monitor.measuring import Measured
from spectrain.monitor.sample import Sample
from spectrain.monitor.settings import group_records
from spectrain.monitor.taps import compiled_names
from spectrain.optim.rules import resolve

Parameters = Mapping[str, nn.Parameter]


class Probe:
    """Reads one kind of quantity during a sampled step and leaves it in the sample."""

    name: str
    turn: frozenset[str] = frozenset()
    """Names of the blocks that the next sample reads."""

    def attach(self, *, full: bool) -> None:
        """Before the step's forward pass; what changes slowly is read in ``full`` samples only."""

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """Just before an optimizer steps; ``blocks`` are those it owns."""

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """Just after."""

    def detach(self, sample: Sample) -> None:
        """After the last optimizer: hand over what was read and let go of everything."""

    def close(self) -> None:
        """At the end of the run, perhaps amid a sample: remove every hook. No collective call."""


class BackwardProbe(Probe):
    """Frobenius norm of each block's gradient as the last backward pass left it.

    It is read when the pass is over: with several processes, after their gradients were averaged.
    Reentrant checkpointing runs passes within the pass. The outermost is known from the model's
    output, which it reaches first; where that has no tensor, a pass reads what it and those that
    began after it have touched, so that the outermost, which ends last, has the last word.
    """

    name = "backward"

    def __init__(
        self,
        model: nn.Module,
        parameters: Parameters,
        blocks: Iterable[Block],
        holdings: Holdings,
        guard: Guard,
    ) -> None:
        self._model = model
        self._guard = guard
        self._holdings = holdings
        self._blocks: dict[str, list[Block]] = defaultdict(list)
        for block in holdings.reads(blocks):
            self._blocks[block.parameter].append(block)
        self._parameters = parameters
        self._squares: dict[Block, Tensor] = {}
        self._touched: dict[str, int] = {}
        self._awaited = False
        self._handles: list[RemovableHandle] = []
        self._compiled = "" in compiled_names(model)

    def attach(self, *, full: bool) -> None:
        self._reset()
        if not self._compiled:
            self._handles.append(self._model.register_forward_hook(self._watch_output))
        for name, parameter in self._parameters.items():
            if parameter.requires_grad and not is_lazy(parameter):
                hook = self._hook(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))

    def _watch_output(self, module: nn.Module, args: Any, output: Any) -> None:
        if self.name in self._guard.disabled:
            return
        with self._guard(self.name):
            for tensor in tree_leaves(output):
                if isinstance(tensor, Tensor) and tensor.requires_grad:
                    tensor.register_hook(lambda _: self._await_end())

    def _hook(self, name: str) -> Any:
        def touched(parameter: Tensor) -> None:
            self._await_end()
            self._touched[name] = torch._C._current_graph_task_id()

        return touched

    def _await_end(self) -> None:
        """Have the gradients read at the end of the running pass, or of one that it is part of."""
        if self._awaited or self.name in self._guard.disabled or not self._handles:
            return
        with self._guard(self.name):
            number = torch._C._current_graph_task_id()
            after_backward(lambda: self._read(number))
            self._awaited = True

    def _read(self, number: int) -> None:
        self._awaited = False
        if self.name in self._guard.disabled or not self._handles:
            return
        with self._guard(self.name):
            for name in sorted(n for n, last in self._touched.items() if last >= number):
                gradient = self._holdings.gradient(self._parameters[name])
                if gradient is not None:
                    for block in self._blocks.get(name, ()):
                        part = self._holdings.part_of_matrix(block, gradient)
                        self._squares[block] = square_sum(part)

    def _reset(self) -> None:
        self._squares, self._touched, self._awaited = {}, {}, False

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def detach(self, sample: Sample) -> None:
        self.close()
        squares = self._squares
        self._reset()
        sample.backward.update(self._holdings.norms(squares))


class GradientProbe(Probe):
    """Spectra of the gradients that the optimizer is about to use."""

    name = "gradient"

    def __init__(self, parameters: Parameters, names: Sequence[str], holdings: Holdings) -> None:
        self._parameters = parameters
        self._names = names
        self._holdings = holdings
        self._measured: list[Measured] = []
        self._partial: list[str] = []

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        scale = getattr(optimizer, "grad_scale", None)
        gradients: dict[str, Tensor | None] = {}
        for name in dict.fromkeys(block.parameter for block in blocks):
            gradient = self._holdings.gradient(self._parameters[name])
            gradients[name] = gradient if scale is None or gradient is None else gradient / scale
        parts = {block: gradients[block.parameter] for block in self._holdings.reads(blocks)}
        self._measured += self._holdings.measure(parts, Source.GRADIENT, self._names)
        self._partial += [
            block.name
            for block in filter(self._holdings.owns, blocks)
            if self._holdings.partial(self._parameters[block.parameter])
        ]

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        reason = "unsupported layout: the gradient is a partial sum over processes"
        sample.records += [
            Record(sample.step, name, Source.GRADIENT, "frobenius_norm", None, reason=reason)
            for name in self._partial
        ]
        self._measured, self._partial = [], []


class UpdateProbe(Probe):
    """Spectra of the applied update; in full samples of it without decay and of the weights."""

    name = "update"

    def __init__(
        self, parameters: Parameters, names: Mapping[Source, Sequence[str]], holdings: Holdings
    ) -> None:
        self._parameters = parameters
        self._names = names
        self._holdings = holdings
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
        for block in self._holdings.reads(blocks):
            parameter = self._parameters[block.parameter]
            if block.parameter not in self._before:
                self._before[block.parameter] = self._holdings.local(parameter).clone()
                rule = resolve(optimizer, groups[id(parameter)], parameter)
                self._factor[block.parameter] = rule.decay_factor()
        self._bytes = sum(before.nbytes for before in self._before.values())

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        reads = self._holdings.reads(blocks)
        names = dict.fromkeys(block.parameter for block in reads)
        after = {name: self._holdings.local(self._parameters[name]) for name in names}
        stepped = [name for name in names if self._parameters[name].grad is not None]
        changed = [name for name in stepped if name in self._before]
        updates = {name: after[name].double() - self._before[name].double() for name in changed}
        self._measure(Source.UPDATE, updates, reads)
        if self._full:
            factors = {name: self._factor[name] for name in changed}
            unknown = [b for b in reads if factors.get(b.parameter, 1.0) is None]
            self._undecided += filter(self._holdings.owns, unknown)
            directions = {
                name: after[name].double() - factor * self._before[name].double()
                for name, factor in factors.items()
                if factor is not None and factor != 1.0
            }
            self._measure(Source.DIRECTION, directions, reads)
            self._measure(Source.WEIGHT, after, reads)
        for name in names:
            self._before.pop(name, None)

    def _measure(
        self, source: Source, tensors: Mapping[str, Tensor], blocks: Sequence[Block]
    ) -> None:
        if self._names[source]:
            parts = {block: tensors.get(block.parameter) for block in blocks}
            self._measured += self._holdings.measure(parts, source, self._names[source])

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

    def __init__(self, optimizers: Sequence[Optimizer], holdings: Holdings) -> None:
        self._holdings = holdings
        self._index = {id(optimizer): number for number, optimizer in enumerate(optimizers)}
        self._records: list[Record] = []

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        if self._holdings.rank == 0:
            self._records += group_records(optimizer, self._index[id(optimizer)], step=0)

    def detach(self, sample: Sample) -> None:
        sample.settings += self._records
        self._records = []


def after_backward(call: Callable[[], None]) -> None:
    """Call once the running backward pass is over, and with it what DDP and FSDP2 do at its end.

    They queue callbacks of their own during the pass; one that is queued by a callback comes last.
    """
    engine = torch.autograd.Variable._execution_engine
    engine.queue_callback(lambda: engine.queue_callback(call))
