"""The observer: follows a training loop through the hooks of its model and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from spectrain.core import QUANTITIES, Block, Quantity, Record, Sink, Source
from spectrain.core.torch_private import backward_pass
from spectrain.monitor import taps
from spectrain.monitor.closure import Arguments, Calls, announced, closure_of, with_closure
from spectrain.monitor.guard import Guard
from spectrain.monitor.outbox import Outbox
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes import Probe
from spectrain.monitor.sample import Sample
from spectrain.monitor.schedule import Schedule
from spectrain.monitor.survey import Survey

STOPS = LOST, SCHEDULE = "communication", "schedule"
"""What ends all sampling if it fails: the connection to the other processes, the schedule."""

COST = QUANTITIES.add(
    (
        Quantity(Source.MONITOR, "training_seconds", "s", "the step's own time, without watching"),
        Quantity(Source.MONITOR, "monitor_seconds", "s", "what watching the step took"),
        Quantity(Source.TRAINING, "loss", "unit of the loss", "as the loop logged it"),
        Quantity(Source.TRAINING, "batch_size", "examples", "as the loop logged it, all processes"),
    )
)
"""What the observer itself records. Beside it stands whatever else the loop logs."""


class Observer:
    """Turns the events of a training loop into sampled steps and these into records.

    A step begins with the first forward pass under gradients after the previous one and ends when
    every optimizer has stepped once. Between samples only one hook on the model and two on each
    optimizer are left in place, each a few instructions long, and those on compiled modules.

    Args:
        model: whose forward pass begins a step.
        optimizers: all of them; each steps once in a step.
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
        self.openings = 0
        self.owner: object = None
        self._first = start_step
        self._optimizers = list(optimizers)
        self._survey = survey
        self._resurvey = resurvey
        self._outbox = Outbox(sinks, guard, writes=survey.holdings.rank == 0)
        self._guard = guard
        self._plan: SamplePlan | None = None
        self._opened: float | None = None
        self._before_opening = 0.0
        self._last_end = perf_counter()
        self._stepped: set[int] = set()
        self._idle = {id(optimizer) for optimizer in optimizers}
        self._by_hand = False
        self._receiver = self.begin
        self._key = taps.register(self._receiver)
        device = next((p.device for p in model.parameters()), None)
        opening = _opening(self.begin, self._key, device)
        self._handles: list[RemovableHandle] = [model.register_forward_pre_hook(opening)]
        for optimizer in self._optimizers:
            calls = Calls()
            before, after = partial(self._enter, calls), partial(self._leave, calls)
            self._handles.append(optimizer.register_step_pre_hook(before))
            self._handles.append(optimizer.register_step_post_hook(after))
        schedule.watches(survey.works())
        self._prepare()

    def log(self, values: Mapping[str, Any]) -> None:
        """Keep what the loop says of the current step (of the last one, between two steps)."""
        step = self.step if self._opened is not None else max(self.step - 1, self._first)
        for name, value in values.items():
            self._outbox.log(step, name, value, processes=self._survey.holdings.data_parallel)

    @property
    def idle(self) -> list[str]:
        """The optimizers that never stepped: place among all, and class."""
        return [
            f"{type(optimizer).__name__} ({place + 1} of {len(self._optimizers)})"
            for place, optimizer in enumerate(self._optimizers)
            if id(optimizer) in self._idle
        ]

    def spread(self) -> dict[str, object]:
        """Number of processes and their traffic, where there are several."""
        return self._survey.holdings.summary()

    def flush(self) -> None:
        """Put the records of the steps that are complete on disk."""
        self._outbox.flush()

    def close(self, summary: Mapping[str, Any]) -> None:
        """Hand on what is held and remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._plan = None
        for probe in self._survey.probes:
            with self._guard(probe.name):
                probe.close()
        taps.RECEIVERS.pop(self._key, None)
        self._outbox.close(summary)

    def _prepare(self) -> None:
        self._plan = None
        if not self._is_over() and self._samples():
            with self._guard("blocks"):
                if survey := self._resurvey():
                    for probe in self._survey.probes:
                        self._guarded(probe, probe.close)
                    self._survey = survey
                    self.schedule.watches(survey.works())
                    if not self.schedule.samples(self.step):  # the new blocks are in their turn too
                        return
                elif not self._survey.blocks:
                    return
            plan = self._plan = self.schedule.plan(self.step)
            for probe in self._due():
                self._guarded(probe, partial(probe.begin, plan))

    def _samples(self) -> bool:
        """Whether the next step is sampled; what fails here ends the watching, not the training."""
        try:
            return self.schedule.samples(self.step)
        except Exception:
            with self._guard(SCHEDULE):
                raise
            return False

    def _is_over(self) -> bool:
        """Whether something failed without which nothing can be sampled."""
        return not self._guard.disabled.keys().isdisjoint(STOPS)

    def begin(self, _: Any = None) -> None:
        """Open a step, if none is open and no backward pass is running."""
        if self._opened is None and backward_pass() == -1:
            self._outbox.begin_step()
            self.openings += 1
            self._before_opening = self._guard.seconds
            self._opened = perf_counter()

    def _enter(
        self, calls: Calls, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Arguments | None:
        """The hook before a step: of calls within each other the outermost counts."""
        outermost = calls.enter()
        return self.before(optimizer, args, kwargs) if outermost and not self._by_hand else None

    def _leave(self, calls: Calls, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """The hook after it."""
        if calls.leave() and not self._by_hand:
            self.after(optimizer)

    def before(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Arguments | None:
        """An optimizer is about to step; a closure is followed to its first call."""
        if id(optimizer) in self._stepped:
            self._finish()
        if self._plan is None:
            return None
        self._tell(optimizer, lambda probe: probe.before_update)
        ready = partial(self._tell, optimizer, lambda probe: probe.gradient_ready)
        closure = closure_of(args, kwargs)
        if closure is not None:
            return with_closure(args, kwargs, announced(closure, ready))
        ready()
        return None

    def after(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        if self._plan is not None:
            self._tell(optimizer, lambda probe: probe.after_update)
        self._stepped.add(id(optimizer))
        self._idle.discard(id(optimizer))
        if len(self._stepped) == len(self._optimizers):
            self._finish()

    @contextmanager
    def update(self) -> Iterator[None]:
        """The weights are updated within, by other means than an optimizer's step."""
        for optimizer in self._optimizers:
            self.before(optimizer, (optimizer,), {})
        self._by_hand = True
        try:
            yield
        finally:
            self._by_hand = False
        for optimizer in self._optimizers:
            self.after(optimizer)

    def _tell(
        self,
        optimizer: Optimizer,
        event: Callable[[Probe], Callable[[Optimizer, Sequence[Block]], None]],
    ) -> None:
        """Tell every probe that is due of an event, with those of its blocks that are due."""
        if self._plan is None:
            return
        self._agree()
        owned = self._owned(optimizer)
        for probe in self._due():
            turn = self._plan.turn(probe.cadence)
            blocks = [block for block in owned if block.name in turn]
            self._guarded(probe, partial(event(probe), optimizer, blocks))

    def _agree(self) -> None:
        """A probe that failed in one process is off in all of them from here on."""
        with self._guard(LOST):
            self._survey.holdings.agree(self._guard, [p.name for p in self._survey.probes])

    def _finish(self) -> None:
        holdings = self._survey.holdings
        if self._outbox.held is not None:
            self._outbox.release()  # no forward pass of the model was seen since
        held: Sample | None = None
        if self._plan is not None:
            self._agree()
            held = self._outbox.held = Sample(self.step)
            held.memory_bytes = self._survey.scene.snapshots.nbytes
            for probe in self._due():
                self._guarded(probe, partial(probe.detach, held))
            self._survey.scene.snapshots.clear()
            self._survey.scene.inputs.moments = {}
            self.peak_bytes = max(self.peak_bytes, held.memory_bytes)
        now = perf_counter()
        monitor = self._guard.seconds
        begun = self._last_end if self._opened is None else self._opened
        training = max(now - begun - (monitor - self._before_opening), 0.0)
        if held is not None and holdings.rank == 0:
            held.records += [
                *holdings.records(self.step),
                Record(self.step, None, Source.MONITOR, "training_seconds", training),
                Record(self.step, None, Source.MONITOR, "monitor_seconds", monitor),
            ]
        self.step += 1
        self._stepped.clear()
        self._opened, self._before_opening = None, 0.0
        self._last_end = now
        self._account(training, monitor, sampled=held is not None)
        self._prepare()

    def _account(self, training: float, monitor: float, *, sampled: bool) -> None:
        """Book the step that ended; after a sample processes may have to agree."""
        spent: dict[Cadence, float] = {}
        for probe in self._due():
            taken = self._guard.spent.get(probe.name, 0.0)
            spent[probe.cadence] = spent.get(probe.cadence, 0.0) + taken
        self._guard.reset()
        with self._guard(SCHEDULE) if sampled else nullcontext():
            self.schedule.account(
                training_seconds=training, monitor_seconds=monitor, sampled=sampled, spent=spent
            )

    def _owned(self, optimizer: Optimizer) -> list[Block]:
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return [
            block
            for name, blocks in self._survey.blocks.items()
            if id(self._survey.parameters[name]) in owned
            for block in blocks
        ]

    def _due(self) -> list[Probe]:
        plan = self._plan
        return [] if plan is None else [p for p in self._survey.probes if plan.due(p.cadence)]

    def _guarded(self, probe: Probe, call: Callable[[], None]) -> None:
        if probe.name not in self._guard.disabled and not self._is_over():
            with self._guard(probe.name):
                call()


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
