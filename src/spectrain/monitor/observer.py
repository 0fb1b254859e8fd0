"""The observer: follows a training loop through the hooks of its model and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, InputError, Record, Sink, Source
from spectrain.monitor import taps
from spectrain.monitor.guard import Guard
from spectrain.monitor.probes import GradientProbe, Probe
from spectrain.monitor.sample import Sample
from spectrain.monitor.schedule import Schedule
from spectrain.monitor.survey import Survey

LOST = "communication"
"""Name under which a lost connection to the other processes switches off all sampling."""

FLUSH_SECONDS = 20.0
"""Records are handed to disk at least this often, so that a kill loses no more."""


LOGGED = 256
"""So many logged numbers are handed on together, for that has a price; at a sample in any case."""


class Observer:
    """Turns the events of a training loop into sampled steps and these into records.

    A step begins with the first forward pass under gradients after the previous one and ends when
    every optimizer has stepped once. Between samples only one hook on the model and two on each
    optimizer are left in place, each a few instructions long, and those on compiled modules.

    Args:
        model: whose forward pass begins a step.
        optimizers: all that step once a step.
        survey: what is watched, and by which probes.
        resurvey: a new survey where parameters have come, thawed or frozen since; else ``None``.
        sinks: where records go.
        schedule: which steps are sampled.
        guard: contains failures.
        start_step: steps already done.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        survey: Survey,
        resurvey: Callable[[], Survey | None],
        sinks: Sequence[Sink],
        schedule: Schedule,
        guard: Guard,
        start_step: int,
    ) -> None:
        self.step = start_step
        self.schedule = schedule
        self.peak_bytes = 0
        self._first = start_step
        self._optimizers = list(optimizers)
        self._survey = survey
        self._resurvey = resurvey
        self._sinks = list(sinks)
        self._guard = guard
        self._sampling = False
        self._turn: frozenset[str] = frozenset()
        self._opened: float | None = None
        self._before_opening = 0.0
        self._last_end = perf_counter()
        self._stepped: set[int] = set()
        self._held: Sample | None = None
        self._batch_size: int | None = None
        self._logged: list[tuple[int, str, float | Tensor]] = []
        self._flushed = perf_counter()
        self._key = taps.register(self.begin)
        device = next((p.device for p in model.parameters()), None)
        opening = _opening(self.begin, self._key, device)
        self._handles: list[RemovableHandle] = [model.register_forward_pre_hook(opening)]
        for optimizer in self._optimizers:
            self._handles.append(optimizer.register_step_pre_hook(self._before))
            self._handles.append(optimizer.register_step_post_hook(self._after))
        self._prepare()

    def log(self, values: Mapping[str, Any]) -> None:
        """Keep what the loop says of the current step (of the last one, between two steps)."""
        step = self.step if self._opened is not None else max(self.step - 1, self._first)
        for name, value in values.items():
            number = _scalar(name, value)
            if name == "batch_size":
                number = number * self._survey.holdings.data_parallel
                self._batch_size = int(number)
            self._logged.append((step, name, number))

    def spread(self) -> dict[str, object]:
        """Number of processes and their traffic, where there are several."""
        return self._survey.holdings.summary()

    def flush(self) -> None:
        """Put the records of the steps that are complete on disk."""
        self._release()
        with self._guard("records"):
            for sink in self._sinks:
                sink.flush()
        self._flushed = perf_counter()

    def close(self, summary: Mapping[str, Any]) -> None:
        """Hand on what is held and remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._sampling = False
        for probe in self._survey.probes:
            with self._guard(probe.name):
                probe.close()
        taps.RECEIVERS.pop(self._key, None)
        self._release()
        for sink in self._sinks:
            with self._guard("records"):
                sink.close(summary)

    def _prepare(self) -> None:
        self._sampling = LOST not in self._guard.disabled and self.schedule.samples(self.step)
        if self._sampling:
            with self._guard("blocks"):
                if survey := self._resurvey():
                    self._each_probe(lambda probe: probe.close())
                    self._survey = survey
            full = self.schedule.full()
            names = [block.name for blocks in self._survey.blocks.values() for block in blocks]
            self._turn = frozenset(names[self.schedule.turn(len(names))])
            for probe in self._survey.probes:
                probe.turn = self._turn
            self._each_probe(lambda probe: probe.attach(full=full))

    def begin(self, _: Any = None) -> None:
        """Open a step, if none is open and no backward pass is running."""
        if self._opened is None and torch._C._current_graph_task_id() == -1:
            waited = perf_counter() - self._flushed > FLUSH_SECONDS
            if self._held is not None or waited or len(self._logged) >= LOGGED:
                self._release()
            self._batch_size = None
            self._before_opening = self._guard.seconds
            self._opened = perf_counter()

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if id(optimizer) in self._stepped:
            self._finish()
        if self._sampling:
            self._agree()
            closure = _has_closure(args, kwargs)
            blocks = self._owned(optimizer)
            for probe in self._survey.probes:
                if not (closure and isinstance(probe, GradientProbe)):
                    self._guarded(probe, lambda p: p.before_step(optimizer, blocks))

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._sampling:
            self._agree()
            blocks = self._owned(optimizer)
            if _has_closure(args, kwargs):
                for probe in self._survey.probes:
                    if isinstance(probe, GradientProbe):
                        self._guarded(probe, lambda p: p.before_step(optimizer, blocks))
            self._each_probe(lambda probe: probe.after_step(optimizer, blocks))
        self._stepped.add(id(optimizer))
        if len(self._stepped) == len(self._optimizers):
            self._finish()

    def _agree(self) -> None:
        """A probe that failed in one process is off in all of them from here on."""
        with self._guard(LOST):
            self._survey.holdings.agree(self._guard, [p.name for p in self._survey.probes])

    def _finish(self) -> None:
        holdings = self._survey.holdings
        if self._held is not None:
            self._release()  # no forward pass of the model was seen since
        if self._sampling:
            self._agree()
            self._held = Sample(self.step)
            held = self._held
            self._each_probe(lambda probe: probe.detach(held))
            self.peak_bytes = max(self.peak_bytes, held.memory_bytes)
        now = perf_counter()
        monitor = self._guard.seconds
        begun = self._last_end if self._opened is None else self._opened
        training = max(now - begun - (monitor - self._before_opening), 0.0)
        sampled = self._sampling
        if self._held is not None and holdings.rank == 0:
            self._held.records += [
                *holdings.records(self.step),
                Record(self.step, None, Source.MONITOR, "training_seconds", training),
                Record(self.step, None, Source.MONITOR, "monitor_seconds", monitor),
            ]
        self.step += 1
        self._stepped.clear()
        self._opened, self._before_opening = None, 0.0
        self._last_end = now
        self._guard.seconds = 0.0
        account = partial(
            self.schedule.account,
            training_seconds=training,
            monitor_seconds=monitor,
            sampled=sampled,
        )
        if sampled:  # processes may have to agree
            with self._guard(LOST):
                account()
        else:
            account()
        self._prepare()

    def _release(self) -> None:
        """Spell out the last sample and what was logged, and pass it to the sinks."""
        if self._held is None and not self._logged:
            return
        with self._guard("records"):
            records = [
                Record(step, None, Source.TRAINING, name, float(value))
                for step, name, value in self._logged
                if self._survey.holdings.rank == 0
            ]
            self._logged.clear()
            held, self._held = self._held, None
            if held is not None:
                numbers, spectra = held.spell_out(self._batch_size)
                records += numbers
                for sink in self._sinks:
                    sink.write_spectra(spectra)
            for sink in self._sinks:
                sink.write(records)
            if perf_counter() - self._flushed > FLUSH_SECONDS:
                for sink in self._sinks:
                    sink.flush()
                self._flushed = perf_counter()

    def _owned(self, optimizer: Optimizer) -> list[Block]:
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return [
            block
            for name, blocks in self._survey.blocks.items()
            if id(self._survey.parameters[name]) in owned
            for block in blocks
            if block.name in self._turn
        ]

    def _each_probe(self, call: Callable[[Probe], None]) -> None:
        for probe in self._survey.probes:
            self._guarded(probe, call)

    def _guarded(self, probe: Probe, call: Callable[[Probe], None]) -> None:
        if probe.name not in self._guard.disabled and LOST not in self._guard.disabled:
            with self._guard(probe.name):
                call(probe)


def _opening(begun: Callable[[], None], key: int, device: torch.device | None) -> Any:
    """The hook on the model; where it is traced, an operator takes its place in the graph."""
    cell, nothing = torch.zeros((), device=device), torch.zeros((), device=device)

    def forward(module: nn.Module, args: Any) -> None:
        if torch.is_grad_enabled():
            if torch.compiler.is_compiling():
                torch.ops.spectrain.tap(cell, nothing, key)
            else:
                begun()

    return forward


def _has_closure(args: Any, kwargs: Any) -> bool:
    return len(args) > 1 or kwargs.get("closure") is not None


def _scalar(name: str, value: Any) -> float | Tensor:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise InputError(
                f"log({name}=...) got a tensor of shape {tuple(value.shape)}",
                remedy="log one number, such as its mean",
            )
        return value.detach().clone() if value.is_cuda else float(value.detach())
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"log({name}=...) got {type(value).__name__}", remedy="log a number"
        ) from None
