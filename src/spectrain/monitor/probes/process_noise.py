"""Processes as replicas of the gradient: what each had before the exchange, at no further pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, Source
from spectrain.monitor.distributed.spread import Spread
from spectrain.monitor.distributed.team import PeerError, from_bytes, to_bytes
from spectrain.monitor.holdings import square_sum
from spectrain.monitor.noise_reading import NoiseReading
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.noise import Turn
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample
from spectrain.monitor.taps import compiled_names
from spectrain.network.wrapping import modules_of
from spectrain.noise import NOISE_QUANTITIES, HeldNoise, Power, ReplicaBuffer, held_noise, moments

ENTRIES = 4
"""Replicas of a block that one process holds; more microbatches than that are merged in pairs."""


COMPILED = "compiled and sharded: no process's own gradient is seen before the exchange"
SAME_DATA = "tensor parallelism: processes that see the same data are not replicas"


@register
class NoReplicasProbe(Probe):
    """Says of every block why it has no noise records, where processes see the same data."""

    name = "no_replicas"
    records = NOISE_QUANTITIES
    cadence = Cadence.RARELY

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._owned = [block for block in scene.blocks if scene.holdings.owns(block)]

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """None where each process has data of its own."""
        holdings = scene.holdings
        alike = isinstance(holdings, Spread) and holdings.data_parallel != holdings.size
        return super().of(scene) if alike else None

    def detach(self, sample: Sample) -> None:
        for block in self._owned:
            sample.missing(block, Source.NOISE, "zeta_emp", SAME_DATA)


@register
class ProcessNoiseProbe(Probe):
    """Signal, noise and directions of some blocks in turn, from the ranks' own gradients.

    Hooks on the parameters see each process's gradient before DDP or FSDP2 averages it; for FSDP2
    they sit on the parameter as it is between gathering and scattering. The replicas of a block go
    to the block's owner, so that each process receives about as much as it holds itself.
    """

    name = "process_noise"
    records = NOISE_QUANTITIES
    _buffers: dict[Block, ReplicaBuffer]

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        if not isinstance(scene.holdings, Spread):
            raise TypeError("the model lies in one process")
        self._spread = scene.holdings
        self._modules = modules_of(scene.model)
        self._compiled = compiled_names(scene.model)
        self._parameters = scene.parameters
        self._guard = scene.guard
        self._turn = Turn(scene.blocks, scene.parameters, scene.share)
        self._handles: list[RemovableHandle] = []
        self._reset(())

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """None where the model lies in one process, or several see the same data."""
        holdings = scene.holdings
        apart = isinstance(holdings, Spread) and holdings.data_parallel == holdings.size
        return super().of(scene) if apart else None

    def begin(self, plan: SamplePlan) -> None:
        self._reset(self._turn.next() if plan.due(Cadence.RARELY) else ())
        for name in dict.fromkeys(block.parameter for block in self._buffers):
            parameter = self._parameters[name]
            if isinstance(parameter, DTensor):
                path, _, local = name.rpartition(".")
                module = self._modules[path]
                self._handles.append(module.register_forward_pre_hook(self._finder(name, local)))
            elif parameter.requires_grad:
                self._handles.append(parameter.register_hook(self._hook(name)))

    def _finder(self, name: str, local: str) -> Any:
        """A hook on a module that hooks its gathered parameter, once a step."""

        def find(module: nn.Module, args: Any) -> None:
            if name in self._found or torch.compiler.is_compiling():
                return
            gathered = getattr(module, local)
            if gathered.requires_grad and not isinstance(gathered, DTensor):
                self._found.add(name)
                self._handles.append(gathered.register_hook(self._hook(name)))

        return find

    def _hook(self, name: str) -> Any:
        def read(gradient: Tensor) -> None:
            if not self._open or self.name in self._guard.disabled:
                return
            with self._guard(self.name):
                parameter = self._parameters[name]
                if name in self._seen and parameter.grad is None:
                    self._restart(parameter)
                self._seen.add(name)
                dense = gradient.to_dense() if gradient.is_sparse else gradient
                for block, buffer in self._buffers.items():
                    if block.parameter == name:
                        buffer.add(block.view.of(dense))

        return read

    def _restart(self, parameter: nn.Parameter) -> None:
        """Gradients were zeroed without a step; for a sharded parameter that cannot be seen."""
        if not isinstance(parameter, DTensor):
            self._seen.clear()
            self._buffers = {block: ReplicaBuffer(capacity=ENTRIES) for block in self._buffers}

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self._open = False
        owned = set(blocks)
        chosen = [block for block in self._buffers if block in owned]
        received = self._exchange(chosen)
        scale = getattr(optimizer, "grad_scale", None)
        norms = self._norms(chosen, 1.0 if scale is None else float(scale))
        for block, parts in received.items():
            self._read(block, parts, norms.get(block))

    def _exchange(self, chosen: Sequence[Block]) -> dict[Block, list[Tensor]]:
        """Draws of every process's entries, and the entries, of the blocks owned here."""
        world = self._spread.world
        by_owner = [[b for b in chosen if self._spread.owner(b) == rank] for rank in world.ranks]
        payloads = [[_packed(self._buffers[block]) for block in own] for own in by_owner]
        failed = torch.tensor([float(self.name in self._guard.disabled)])
        if world.maximum(failed).item():
            raise PeerError("failed on another process")
        received = world.exchange(payloads)
        return dict(zip(by_owner[world.index or 0], received, strict=True))

    def _norms(self, chosen: Sequence[Block], scale: float) -> dict[Block, Tensor]:
        """Norms of the gradients that the optimizer is about to use."""
        squares = {}
        for block in self._spread.reads(chosen):
            gradient = self._spread.gradient(self._parameters[block.parameter])
            if gradient is not None:
                part = self._spread.part_of_matrix(block, gradient)
                squares[block] = square_sum(part) / scale**2
        return self._spread.norms(squares)

    def _read(self, block: Block, parts: Sequence[Tensor], norm: Tensor | None) -> None:
        shape = block.shape[:1] if block.view.diagonal else block.shape
        replicas, weights, silent = [], [], 0
        for part in parts:
            draws, entries = _unpacked(part, shape)
            replicas += entries
            weights += draws
            silent += not draws
        if silent:
            self._reasons[block] = self._why_silent(block, silent, len(parts))
            return
        self._draws = round(sum(weights))
        summary = moments(replicas, weights=weights)
        square = summary.mean.square().sum()
        factor = 1.0 if norm is None or not square else float(norm / square.sqrt())
        if not torch.isfinite(square + summary.scatter) or factor in (0.0, float("inf")):
            self._reasons[block] = "not finite, or zero"
            return
        scaled = [replica * factor for replica in replicas]
        energies = (square * factor**2, summary.scatter * factor**2)
        self._powers[block] = Power(summary.count, summary.weight, *energies, summary.mean.numel())
        if len(scaled) > 1:
            self._held[block] = held_noise(scaled, weights=weights)

    def _why_silent(self, block: Block, silent: int, processes: int) -> str:
        inside = block.parameter.rpartition(".")[0] in self._compiled
        sharded = isinstance(self._parameters[block.parameter], DTensor)
        if silent == processes and inside and sharded:
            return COMPILED
        return f"no gradient on {silent} of {processes} processes"

    def detach(self, sample: Sample) -> None:
        self.close()
        sample.memory_bytes += sum(buffer.nbytes for buffer in self._buffers.values())
        total = self._total()
        if self._powers or self._reasons or total is not None:
            reading = NoiseReading(
                self._draws, self._powers, self._held, self._reasons, total=total, whole=False
            )
            sample.readings.append(reading)
        self._turn.answered(self._buffers)
        self._reset(())

    def _total(self) -> Power | None:
        """All blocks as one gradient, at rank 0, where all of them were held at once."""
        world, powers = self._spread.world, list(self._powers.values())
        sums = torch.zeros(5, dtype=torch.float64)
        for power in powers:
            sums += torch.tensor(
                [1.0, float(power.mean_square), float(power.scatter), power.entries, 0.0]
            ).double()
        number, mean_square, scatter, entries, _ = world.total(sums)
        counts = torch.tensor([max((p.count for p in powers), default=0), self._draws])
        count, draws = world.maximum(counts).tolist()
        self._draws = draws
        if number != self._turn.size or self._spread.rank != 0 or count < 2:
            return None
        return Power(count, float(draws), mean_square, scatter, int(entries))

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _reset(self, held: Sequence[Block]) -> None:
        self._open = True
        self._found: set[str] = set()
        self._seen: set[str] = set()
        self._buffers = {block: ReplicaBuffer(capacity=ENTRIES) for block in held}
        self._draws = 0
        self._powers: dict[Block, Power] = {}
        self._held: dict[Block, HeldNoise] = {}
        self._reasons: dict[Block, str] = {}


def _packed(buffer: ReplicaBuffer) -> Tensor:
    """Number of draws of each entry, then the entries: all float64."""
    entries = buffer.replicas()
    if not entries:
        return torch.empty(0, dtype=torch.uint8)
    flat = [entry.double().reshape(-1) for entry in entries]
    head = flat[0].new_tensor([len(entries), *buffer.weights])
    return to_bytes(torch.cat([head, *flat]))


def _unpacked(content: Tensor, shape: Sequence[int]) -> tuple[list[float], list[Tensor]]:
    if not content.numel():
        return [], []
    numbers = from_bytes(content, torch.float64, (-1,))
    count = int(numbers[0])
    entries = numbers[1 + count :].reshape(count, *shape)
    return numbers[1 : 1 + count].tolist(), list(entries)
