"""What a probe is: a declared reader of sampled steps, and the registry of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.core import QUANTITIES, Block, Feed, InputError, Quantity, Source
from spectrain.monitor.activations import SecondMoment
from spectrain.monitor.guard import Guard
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.measuring import matching
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.sample import Sample


class Replicas(StrEnum):
    """What several backward passes within one step are.

    ``TESTED``: not declared, so that their order is tested. ``MICROBATCHES``: samples of one loss.
    ``NONE``: not replicas, such as several losses.
    """

    TESTED = "tested"
    MICROBATCHES = "microbatches"
    NONE = "none"


SNAPSHOT_BYTES = 1 << 27
"""Copies that are held at a time; one parameter may exceed it. What finds no room waits."""


class Snapshots:
    """Weights as they were before the update, copied once however many probes ask.

    Where a step asks for more than :data:`SNAPSHOT_BYTES`, those that waited longest come first.
    The size of the whole parameter counts, so that all processes choose the same.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], holdings: Holdings) -> None:
        self._parameters, self._holdings = parameters, holdings
        self._kept: dict[str, Tensor] = {}
        self._held = 0
        self._waiting: dict[str, int] = {}

    def keep(self, blocks: Iterable[Block]) -> None:
        """Before the update: copy what of these blocks' parameters is here, while there is room."""
        asked = dict.fromkeys(block.parameter for block in blocks)
        for name in sorted(asked, key=lambda name: -self._waiting.get(name, 0)):
            if name in self._kept:
                continue
            parameter = self._parameters[name]
            size = parameter.numel() * parameter.element_size()
            if self._held and self._held + size > SNAPSHOT_BYTES:
                self._waiting[name] = self._waiting.get(name, 0) + 1
                continue
            self._waiting.pop(name, None)
            self._held += size
            self._kept[name] = self._holdings.local(parameter).clone()

    def before(self, parameter: str) -> Tensor | None:
        """The copy of a parameter, where one was made."""
        return self._kept.get(parameter)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(kept.nbytes for kept in self._kept.values())

    def clear(self) -> None:
        """Let go of all copies."""
        self._kept.clear()
        self._held = 0


@dataclass(slots=True)
class Inputs:
    """What fed the blocks in the step that ends: probes that are notified later may read it.

    Attributes:
        moments: of each feed, over all processes, in the process that records it.
    """

    moments: Mapping[Feed, SecondMoment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a probe is made with.

    Attributes:
        model: that is trained.
        optimizers: that train it.
        parameters: of the model, by bare name.
        blocks: that are watched.
        holdings: what of them is in this process.
        guard: contains failures of hooks that a probe sets itself.
        measures: patterns such as ``"gradient/*"``.
        share: of the blocks of which replicas are held in a full sample.
        replicas: what the backward passes of a step are.
        composed: matrices that several of the parameters make.
        snapshots: of the weights before the update.
        inputs: what fed the blocks, from when the activation probe has detached.
    """

    model: nn.Module
    optimizers: Sequence[Optimizer]
    parameters: Mapping[str, nn.Parameter]
    blocks: Sequence[Block]
    holdings: Holdings
    guard: Guard
    measures: Sequence[str]
    share: float
    replicas: Replicas
    composed: Sequence[Block] = ()
    snapshots: Snapshots = field(init=False)
    inputs: Inputs = field(default_factory=Inputs, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "snapshots", Snapshots(self.parameters, self.holdings))

    def wants(self, quantities: Iterable[Quantity]) -> bool:
        """Whether a pattern asks for any of them."""
        return any(fnmatchcase(q.name, p) for q in quantities for p in self.measures)

    def spectral(self, source: Source) -> tuple[str, ...]:
        """Measures of a spectrum that are asked for."""
        return matching(source, self.measures)

    def gradient(self, block: Block, optimizer: Optimizer) -> Tensor | None:
        """What of a block's gradient lies here, as the optimizer finds it, free of a loss scale."""
        gradient = self.holdings.gradient(self.parameters[block.parameter])
        if gradient is None:
            return None
        scale = getattr(optimizer, "grad_scale", None)
        part = self.holdings.part_of_matrix(block, gradient)
        return part if scale is None else part / scale

    def weight(self, block: Block) -> Tensor:
        """What of a block's matrix lies here."""
        parameter = self.holdings.local(self.parameters[block.parameter])
        return self.holdings.part_of_matrix(block, parameter)


class Probe:
    """Reads one kind of quantity in sampled steps and leaves it in the sample.

    The events of a step come in this order: :meth:`begin`, forward and backward passes,
    :meth:`before_update`, :meth:`gradient_ready`, :meth:`after_update`, :meth:`detach`. The middle
    three come for each optimizer, with those of its blocks whose turn it is. A closure that
    ``optimizer.step`` receives runs between ``before_update`` and ``gradient_ready``, and the
    latter comes once, after its first call. A probe that is not due in a sample hears nothing.

    Everything runs without graph and autocast, and an exception switches the probe off.

    Attributes:
        name: unique; what warnings call it.
        records: every quantity that it writes.
        cadence: how often it reads.
        beside: it reads too wherever a spectral measure of this source is asked for.
    """

    name: ClassVar[str]
    records: ClassVar[tuple[Quantity, ...]]
    cadence: ClassVar[Cadence] = Cadence.SOMETIMES
    beside: ClassVar[Source | None] = None

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """The probe of a scene; ``None`` where it has nothing to read."""
        beside = cls.beside is not None and bool(scene.spectral(cls.beside))
        return cls(scene) if beside or scene.wants(cls.records) else None

    def begin(self, plan: SamplePlan) -> None:
        """Before the step's forward pass."""

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """``optimizer.step`` was called; weights and the optimizer's state are the old ones."""

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """The gradient that the optimizer uses is in place, its state still the old one."""

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        """``optimizer.step`` is over."""

    def detach(self, sample: Sample) -> None:
        """After the last optimizer: hand over what was read and let go of everything."""

    def close(self) -> None:
        """At the end of the run, perhaps amid a sample: remove every hook. No collective call."""


def groups_by_parameter(optimizer: Optimizer) -> dict[int, dict[str, Any]]:
    """The group of each of an optimizer's parameters, by the parameter's id."""
    return {id(p): group for group in optimizer.param_groups for p in group["params"]}


PROBES: dict[str, type[Probe]] = {}
"""Every registered probe by name."""

P = TypeVar("P", bound=type[Probe])


def register(probe: P) -> P:
    """Decorator: every watched run uses the probe, the contract suite and the glossary know it.

    Raises:
        InputError: another probe has its name, or a quantity is declared differently elsewhere.
    """
    if PROBES.get(probe.name, probe) is not probe:
        raise InputError(f"there is a probe {probe.name!r} already", remedy="rename one")
    QUANTITIES.add(probe.records)
    PROBES[probe.name] = probe
    return probe
