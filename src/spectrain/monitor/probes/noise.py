"""The noise probe: accumulation microbatches as replicas of the gradient, at no further pass."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block
from spectrain.monitor.distributed.spread import Spread
from spectrain.monitor.noise_reading import NoiseReading
from spectrain.monitor.order import ORDER_QUANTITIES, Order
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Replicas, Scene, register
from spectrain.monitor.sample import Sample
from spectrain.noise import (
    NOISE_QUANTITIES,
    HeldNoise,
    Power,
    ReplicaBuffer,
    ScatterStream,
    held_noise,
)

CAPACITY = 8
"""Replicas of a block that are held at most; more of them are merged in pairs."""

BUFFER_BYTES = 1 << 28
"""Memory that all held replicas may take together."""

SHARE = 1 / 8
"""Share of the blocks whose replicas are held in one full sample under a budget, in turn."""


@register
class NoiseProbe(Probe):
    """Signal and noise of every block, and in turn the directions of some, from microbatches.

    A forward pass of the model under gradients begins a microbatch. Hooks on the parameters see
    each microbatch's gradient before it is added to ``.grad``, which holds the sum of those before:
    signal and noise need no memory. Intervals and singular directions need the replicas themselves:
    at most :data:`CAPACITY` of each, of as many blocks as fit into :data:`BUFFER_BYTES`.

    All is in the unit of the gradient that the optimizer finds: the replicas are scaled so that
    their mean has its norm, which takes out loss scales and clipping.
    """

    name = "noise"
    records = (*NOISE_QUANTITIES, *ORDER_QUANTITIES)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._model, self._guard, self._parameters = scene.model, scene.guard, scene.parameters
        self._blocks: dict[str, list[Block]] = defaultdict(list)
        for block in scene.blocks:
            self._blocks[block.parameter].append(block)
        self._turn = Turn(scene.blocks, scene.parameters, scene.share)
        tested = scene.replicas is Replicas.TESTED
        self._order = Order(self._blocks, scene.parameters) if tested else None
        self._handles: list[RemovableHandle] = []
        self._reset(held=())

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """``None`` where a model is spread over processes, which are then the replicas."""
        spread = isinstance(scene.holdings, Spread)
        return None if spread or scene.replicas is Replicas.NONE else super().of(scene)

    def begin(self, plan: SamplePlan) -> None:
        full = plan.due(Cadence.RARELY) and not (self._order and self._order.refused)
        self._reset(held=self._turn.next() if full else ())
        self._handles.append(self._model.register_forward_pre_hook(self._begin))
        for name, blocks in self._blocks.items():
            parameter = self._parameters[name]
            if parameter.requires_grad:
                self._handles.append(parameter.register_hook(self._hook(parameter, blocks)))

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._open = False
        scale = getattr(optimizer, "grad_scale", None)
        for block in blocks:
            gradient = self._parameters[block.parameter].grad
            if len(self._seen) < 2 or gradient is None:
                continue
            if reason := self._incomplete(block):
                self._reasons[block] = reason
                continue
            self._read(block, gradient, 1.0 if scale is None else float(scale))

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def detach(self, sample: Sample) -> None:
        self.close()
        if self._powers or self._reasons:
            order = None if self._order is None else self._order.step(len(self._seen))
            sample.readings.append(
                NoiseReading(len(self._seen), self._powers, self._held, self._reasons, order=order)
            )
            sample.memory_bytes += sum(buffer.nbytes for buffer in self._buffers.values())
        self._turn.answered(self._held)
        self._reset(held=())

    def _reset(self, held: Sequence[Block]) -> None:
        self._handles.clear()
        self._open = True
        self._reset_replicas(held)

    def _reset_replicas(self, held: Sequence[Block]) -> None:
        self._forwards = 0
        self._seen: set[int] = set()
        self._last: dict[str, int] = {}
        self._twice: set[str] = set()
        self._streams: dict[Block, ScatterStream] = defaultdict(ScatterStream)
        self._buffers = {block: ReplicaBuffer(capacity=CAPACITY) for block in held}
        self._powers: dict[Block, Power] = {}
        self._held: dict[Block, HeldNoise] = {}
        self._reasons: dict[Block, str] = {}
        if self._order is not None:
            self._order.forget()

    def _restart(self) -> None:
        """Gradients were zeroed without a step, as by a scaler that met an overflow."""
        forwards = self._forwards
        self._reset_replicas(tuple(self._buffers))
        self._forwards = forwards

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._forwards += torch.is_grad_enabled()

    def _hook(self, parameter: nn.Parameter, blocks: Sequence[Block]) -> Any:
        name = blocks[0].parameter

        def read(gradient: Tensor) -> None:
            if not self._open or self.name in self._guard.disabled:
                return
            with self._guard(self.name):
                total = parameter.grad
                if total is None and name in self._last:
                    self._restart()
                if self._last.get(name) == self._forwards:
                    self._twice.add(name)
                first = name not in self._last
                self._last[name] = self._forwards
                self._seen.add(self._forwards)
                if first and total is None:  # the next one, if there is one, finds it in place
                    return
                dense, total = _dense(gradient), None if total is None else _dense(total)
                if not (first or total is None or self._streams[blocks[0]].count):
                    self._take(blocks, total, None)
                self._take(blocks, dense, total)

        return read

    def _take(self, blocks: Sequence[Block], gradient: Tensor, total: Tensor | None) -> None:
        """The gradient of a microbatch, and the sum of those before it."""
        if self._order is not None:
            self._order.see(blocks[0].parameter, gradient)
        for block in blocks:
            matrix = block.view.of(gradient)
            before = None if total is None else block.view.of(total)
            self._streams[block].update(matrix, before)
            if block in self._buffers:
                self._buffers[block].add(matrix)

    def _incomplete(self, block: Block) -> str | None:
        """Why the microbatches of a block are not replicas."""
        if block.parameter in self._twice:
            return "several backward passes in one microbatch"
        replicas = len(self._seen)
        count = self._streams[block].count or int(block.parameter in self._last)
        if count < replicas:
            return f"no gradient in {replicas - count} of {replicas} microbatches"
        return None

    def _read(self, block: Block, gradient: Tensor, scale: float) -> None:
        stream, count = self._streams[block], len(self._seen)
        matrix = block.view.of(_dense(gradient))
        norm = torch.linalg.vector_norm(matrix, dtype=torch.float64) / scale
        used = torch.where(stream.sum_square > 0, norm.square() / stream.sum_square, 1.0)
        scatter = stream.scatter * used * count**2
        self._powers[block] = Power(count, float(count), norm.square(), scatter, matrix.numel())
        buffer = self._buffers.get(block)
        if buffer is not None and bool(scatter.isfinite()):
            factor = used.sqrt().item() * count
            if math.isfinite(factor):
                replicas = buffer.replicas(scale=factor)
                self._held[block] = held_noise(replicas, weights=buffer.weights)


class Turn:
    """Which blocks are held next: round and round, so many at a time as memory allows."""

    def __init__(
        self, blocks: Sequence[Block], parameters: Mapping[str, nn.Parameter], share: float
    ) -> None:
        self._number = max(1, math.ceil(share * len(blocks)))
        self._bytes = {
            block: CAPACITY * max(4, parameters[block.parameter].element_size()) * _entries(block)
            for block in blocks
        }
        self._queue = [block for block in blocks if self._bytes[block] <= BUFFER_BYTES]

    @property
    def size(self) -> int:
        """Number of blocks that get a turn."""
        return len(self._queue)

    def next(self) -> Sequence[Block]:
        """The blocks at the head of the queue."""
        chosen, room = [], BUFFER_BYTES
        for block in self._queue[: self._number]:
            room -= self._bytes[block]
            if room < 0:
                break
            chosen.append(block)
        return chosen

    def answered(self, held: Container[Block]) -> None:
        """Blocks that had their turn wait behind the others."""
        self._queue.sort(key=lambda block: block in held)


def _entries(block: Block) -> int:
    rows, columns = block.shape
    return rows if block.view.diagonal else rows * columns


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
