"""The activation probe: what feeds each block, read by hooks that keep no activation."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, Feed, Quantity, Record, Source, quantities_of
from spectrain.core.torch_private import backward_pass
from spectrain.matrix import MEASURES, REASONS, SpectrumStatus
from spectrain.monitor import taps
from spectrain.monitor.activations import ActivationNorms, ActivationStore
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import NOT_FINITE, Sample, on_host
from spectrain.monitor.taps import compiled_names
from spectrain.network.states import STATES, hidden_states
from spectrain.network.taps import activation
from spectrain.network.wrapping import modules_of
from spectrain.stability import STABILITY_MEASURES


@register
class ActivationProbe(Probe):
    """Stable rank of what feeds each block, from hooks that keep no activation.

    It changes slowly, and reading it is most of the price of a sample: hence every third time. A
    forward pass that activation checkpointing repeats during the backward pass counts once. Hooks
    on compiled modules stay in place, as one that is added later would not be called.
    """

    name = "activation"
    cadence = Cadence.SELDOM
    records = (
        *(
            quantity
            for quantity in quantities_of(MEASURES, Source.INPUT, Source.CRITERION_INPUT)
            if quantity.measure in ("stable_rank", "frobenius_norm", "operator_norm")
        ),
        *quantities_of(STABILITY_MEASURES, Source.INPUT),
        Quantity(
            Source.INPUT,
            "overflow_margin",
            unit="bits",
            formula="log₂ of the largest number of x's precision over max |x|",
        ),
        Quantity(
            Source.INPUT,
            "stream_rms",
            unit="unit of x",
            formula="root mean square of what a norm layer reads, before it is normalised",
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._modules = modules_of(scene.model)
        self._guard, self._holdings = scene.guard, scene.holdings
        self._feeds: dict[str, list[Feed]] = defaultdict(list)
        self._states: dict[str, list[Feed]] = defaultdict(list)
        self._readers: list[tuple[Block, Source, Feed]] = []
        for block in scene.blocks:
            for source, feed in _feeds(block):
                self._readers.append((block, source, feed))
                for module in feed.modules:
                    hooked = self._states if feed.tap in STATES else self._feeds
                    if feed not in hooked[module]:
                        hooked[module].append(feed)
        self._all = tuple(dict.fromkeys(feed for _, _, feed in self._readers))
        self._wanted: set[Feed] = set()
        self._warm: dict[Feed, Tensor] = {}
        self._store = self._empty()
        self._on = False
        self._ungraded: set[str] = set()
        self._receivers = {
            feed: self._receiver(feed, self._modules[feed.module]) for feed in self._all
        }
        self._keys = {feed: taps.register(self._receivers[feed]) for feed in self._all}
        self._hooks = {name: self._hook(name, feeds) for name, feeds in self._feeds.items()}
        self._lasting = compiled_names(scene.model) & self._feeds.keys()
        self._kept = [self._hooked(name) for name in self._lasting]
        self._handles: list[RemovableHandle] = []

    def begin(self, plan: SamplePlan) -> None:
        turn = plan.turn(self.cadence)
        self._wanted = {feed for block, _, feed in self._readers if block.name in turn}
        self._store = self._empty()
        if not self._wanted:
            return
        self._on = True
        taps.set_sampling(True)
        self._handles = [
            self._hooked(name)
            for name, feeds in self._feeds.items()
            if name not in self._lasting and not self._wanted.isdisjoint(feeds)
        ]
        self._handles += [
            self._modules[name].register_forward_hook(
                self._states_hook(name, feeds), with_kwargs=True
            )
            for name, feeds in self._states.items()
            if not self._wanted.isdisjoint(feeds)
        ]

    def close(self) -> None:
        self._rest()
        for handle in self._kept:
            handle.remove()
        for key in self._keys.values():
            taps.RECEIVERS.pop(key, None)

    def _empty(self) -> ActivationStore:
        feeds = tuple(feed for feed in self._all if feed in self._wanted)
        return ActivationStore(feeds, sketched=self._holdings.sketches, warm=self._warm)

    def _rest(self) -> None:
        if self._on:
            taps.set_sampling(False)
        self._on = False
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._ungraded.clear()

    def _hooked(self, name: str) -> RemovableHandle:
        module = self._modules[name]
        return module.register_forward_pre_hook(self._hooks[name], with_kwargs=True)

    def _hook(self, name: str, feeds: list[Feed]) -> Any:
        names = _argument_names(self._modules[name])
        keys = [(feed.argument, self._keys[feed]) for feed in feeds]
        parameter = next(self._modules[name].parameters(recurse=False), None)
        cell = torch.zeros((), device=None if parameter is None else parameter.device)

        def read(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if torch.compiler.is_compiling():
                if taps.sampling and torch.is_grad_enabled():
                    for place, key in keys:
                        x = args[place] if place < len(args) else kwargs[names[place]]
                        torch.ops.spectrain.tap(cell, x.detach(), key)
            elif self._on and self.name not in self._guard.disabled and self._counts(name):
                with self._guard(self.name):
                    arguments = _positional(module, args, kwargs)
                    for feed in feeds:
                        self._see(feed, module, arguments)

        return read

    def _states_hook(self, name: str, feeds: list[Feed]) -> Any:
        """Reads the hidden states, which a recurrent layer shows in its output."""

        def read(
            module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
        ) -> None:
            if torch.compiler.is_compiling() or not self._on or self.name in self._guard.disabled:
                return
            if self._counts(name):
                with self._guard(self.name):
                    arguments = _positional(module, args, kwargs)
                    for feed in self._wanted.intersection(feeds):
                        states = hidden_states(feed.tap, module, arguments, output)
                        seen, counts = self._holdings.seen(states)
                        if counts:
                            self._store.add(feed, seen, seen, seen)

        return read

    def _receiver(self, feed: Feed, module: nn.Module) -> Callable[[Tensor], None]:
        def receive(x: Tensor) -> None:
            inactive = not self._on or self.name in self._guard.disabled
            if not inactive and backward_pass() == -1:
                with self._guard(self.name):
                    self._see(feed, module, (x,) * (feed.argument + 1))

        return receive

    def _counts(self, name: str) -> bool:
        """Whether this forward pass is training's own, and not a repetition of it.

        Checkpointing runs a module twice: first under gradients, or without (the reentrant kind);
        then, during the backward pass, under gradients.
        """
        if backward_pass() != -1:
            return torch.is_grad_enabled() and name in self._ungraded
        if torch.is_grad_enabled():
            self._ungraded.discard(name)
            return True
        self._ungraded.add(name)
        return False

    def _see(self, feed: Feed, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if feed not in self._wanted:
            return
        source = arguments[feed.argument]
        source = source.data if isinstance(source, PackedSequence) else source
        seen, counts = self._holdings.seen(source)
        if not counts:
            return
        if seen is not source:
            place = feed.argument
            arguments = (*arguments[:place], seen, *arguments[place + 1 :])
        self._store.add(feed, source, activation(feed, module, arguments), seen)

    def detach(self, sample: Sample) -> None:
        self._rest()
        store, self._store = self._store, self._empty()
        sample.memory_bytes += store.nbytes
        store.settle()
        merged = self._holdings.merged(store, self.name in self._guard.disabled)
        self.scene.inputs.moments = merged.moments
        norms = merged.norms()
        self._warm |= merged.directions()
        readings = []
        for block, source, feed in self._readers:
            if feed in norms:
                readings.append((block, source, norms[feed]))
            elif reason := merged.missing(feed):
                sample.missing(block, source, "stable_rank", reason)
        sample.readings.append(ActivationReading(readings))


@dataclass(frozen=True, slots=True)
class ActivationReading:
    """Squared norms of what feeds blocks, on their devices."""

    norms: Sequence[tuple[Block, Source, ActivationNorms]]

    def rows(self, step: int, batch_size: int | None) -> Iterator[Record]:
        """Stable rank and both norms of each."""
        frobenius = on_host([n.frobenius for _, _, n in self.norms])
        operator = on_host([n.operator for _, _, n in self.norms])
        error = on_host([n.error for _, _, n in self.norms])
        sizes = iter(on_host([size for _, _, n in self.norms for size in n.sizes.values()]))
        for index, (block, source, n) in enumerate(self.norms):
            top, total, bound = operator[index], frobenius[index], error[index]
            stable = total / top if top else 0.0
            values = (
                ("stable_rank", stable, stable * bound / top if top else None),
                ("frobenius_norm", total**0.5, None),
                ("operator_norm", max(top, 0.0) ** 0.5, None),
                *((measure, next(sizes), None) for measure in n.sizes),
            )
            for measure, value, spread in values:
                if source is not Source.INPUT and measure in n.sizes:
                    continue
                why = REASONS[SpectrumStatus.ZERO] if total == 0 else None
                row = partial(Record, step, block.name, source, measure, count=n.columns)
                if isfinite(value):
                    yield row(value, spread, reason=why)
                else:
                    yield row(None, reason=why or NOT_FINITE)


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


def _argument_names(module: nn.Module) -> list[str]:
    return list(inspect.signature(module.forward).parameters)
