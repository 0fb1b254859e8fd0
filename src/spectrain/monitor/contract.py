"""What every probe promises, as checks: a probe of one's own is put through them too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import AdamW, Optimizer
from torch.utils.checkpoint import checkpoint

from spectrain.core import QUANTITIES, Source
from spectrain.monitor.probes import PROBES, Probe
from spectrain.monitor.watch import watch
from spectrain.records import open_run

STEPS, BATCH, PARTS, WIDTH = 4, 16, 4, 8
SCALE = 2.0**10

_NAME = pl.concat_str("source", pl.lit("/"), "measure")

Rows = Mapping[tuple[object, ...], tuple[float | None, float | None, str | None]]
"""Value, error and reason by step, block, source, measure and index."""


class BrokenPromiseError(AssertionError):
    """A probe does not do what every probe promises; says which promise, and where."""


class Net(nn.Module):
    """A small network with a composed matrix, its middle checkpointed or not."""

    def __init__(self, *, reentrant: bool | None = None) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = nn.Linear(WIDTH, 12), weight_norm(nn.Linear(12, WIDTH))
        self.last = nn.Linear(WIDTH, WIDTH, bias=False)
        self.reentrant = reentrant
        self.double()  # so that rounding does not count
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(std=0.3, generator=generator)

    def middle(self, x: Tensor) -> Tensor:
        """What may be checkpointed."""
        hidden: Tensor = self.second(torch.tanh(self.first(x)))
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Outputs."""
        if self.reentrant is None:
            hidden = self.middle(x)
        else:
            x = x.detach().requires_grad_()  # the reentrant kind needs an input with a gradient
            hidden = checkpoint(self.middle, x, use_reentrant=self.reentrant)
        outputs: Tensor = self.last(torch.relu(hidden))
        return outputs


def _loss(model: nn.Module, x: Tensor) -> Tensor:
    return (model(x) - x.flip(1)).square().mean()


Step = Callable[[nn.Module, Optimizer, Tensor], None]
"""One step of training on a batch."""


def _plain(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(_loss(model, x))
    optimizer.step()


def _closure(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    def closure() -> float:
        optimizer.zero_grad()
        loss = _loss(model, x)
        torch.autograd.backward(loss)
        return float(loss.detach())

    optimizer.step(closure)


def _accumulate(model: nn.Module, x: Tensor) -> None:
    for part in x.chunk(PARTS):
        torch.autograd.backward(_loss(model, part) / PARTS)


def _accumulated(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    optimizer.zero_grad()
    _accumulate(model, x)
    optimizer.step()


def _accumulated_in_closure(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    def closure() -> float:
        optimizer.zero_grad()
        _accumulate(model, x)
        return 0.0

    optimizer.step(closure)


def _scaled(model: nn.Module, optimizer: Optimizer, x: Tensor) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    optimizer.zero_grad()
    torch.autograd.backward(scaler.scale(_loss(model, x)))
    scaler.step(optimizer)


@dataclass(frozen=True, slots=True)
class Manner:
    """A way of training: what a step does, and of which model."""

    step: Step
    model: Callable[[], nn.Module] = Net


def _compiled() -> nn.Module:
    model = Net()
    model.compile(backend="eager")
    return model


PLAIN = Manner(_plain)
CLOSURE = Manner(_closure)
ACCUMULATED = Manner(_accumulated)
ACCUMULATED_IN_CLOSURE = Manner(_accumulated_in_closure)
SCALED = Manner(_scaled)
CHECKPOINTED = Manner(_plain, partial(Net, reentrant=False))
REENTRANT = Manner(_plain, partial(Net, reentrant=True))
COMPILED = Manner(_plain, _compiled)


class Trainings:
    """Short watched trainings, each manner once, for any number of probes.

    Args:
        probes: beside the registered ones.
        measures: patterns of what is recorded.
    """

    def __init__(self, probes: Sequence[type[Probe]], measures: Sequence[str] = ("*",)) -> None:
        self._probes, self._measures = tuple(probes), tuple(measures)
        self._done: dict[Manner, tuple[pl.DataFrame, list[Tensor]]] = {}

    def rows(self, probe: type[Probe], manner: Manner) -> Rows:
        """What the probe writes in a training of this manner."""
        names = [quantity.name for quantity in probe.records]
        own = self.frame(manner).filter(_NAME.is_in(names))
        keys = ("step", "block", "source", "measure", "index")
        fields = ("value", "error", "reason")
        return {row[:5]: row[5:] for row in own.select(*keys, *fields).iter_rows()}

    def frame(self, manner: Manner) -> pl.DataFrame:
        """All rows except the times that watching took."""
        return self._train(manner)[0]

    def weights(self, manner: Manner) -> list[Tensor]:
        """The weights at the end."""
        return self._train(manner)[1]

    def _train(self, manner: Manner) -> tuple[pl.DataFrame, list[Tensor]]:
        if manner not in self._done:
            model = manner.model()
            optimizer = _optimizer(model)
            with TemporaryDirectory() as folder:
                with watch(
                    model,
                    optimizer,
                    Path(folder, "run"),
                    every=1,
                    measures=self._measures,
                    probes=self._probes,
                    replicas="microbatches",
                    strict=True,
                ) as run:
                    for x in _batches():
                        manner.step(model, optimizer, x)
                        run.log(batch_size=BATCH)
                frame = open_run(run.path).metrics().filter(pl.col("source") != Source.MONITOR)
            self._done[manner] = frame, [p.detach() for p in model.parameters()]
        return self._done[manner]


def _optimizer(model: nn.Module) -> Optimizer:
    return AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


def _batches() -> list[Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(BATCH, WIDTH, generator=draw, dtype=torch.float64) for _ in range(STEPS)]


def _same(promise: str, one: Rows, other: Rows, *, tolerance: float = 0.0) -> None:
    if one.keys() != other.keys():
        odd = sorted(map(str, one.keys() ^ other.keys()))
        raise BrokenPromiseError(f"{promise}: {len(odd)} rows are not in both, such as {odd[0]}")
    for key, (value, _, reason) in one.items():
        expected, _, why = other[key]
        if value is None or expected is None:
            if (value, reason) != (expected, why):
                raise BrokenPromiseError(
                    f"{promise}: {key} is {value or reason!r}, {expected or why!r}"
                )
        elif not math.isclose(value, expected, rel_tol=tolerance, abs_tol=tolerance):
            raise BrokenPromiseError(f"{promise}: {key} is {value} and {expected}")


def _in_unit_of_the_loss(rows: Rows) -> Rows:
    """Values that a loss scale multiplies, divided by it."""
    return {
        key: (
            value / SCALE
            if value is not None and QUANTITIES[f"{key[2]}/{key[3]}"].scaled
            else value,
            error,
            reason,
        )
        for key, (value, error, reason) in rows.items()
    }


def declares_what_it_records(probe: type[Probe], trainings: Trainings) -> None:
    """Every row is of a declared quantity, and what has no value has a reason."""
    frame = trainings.frame(ACCUMULATED)
    names = set(frame.select(_NAME).to_series())
    if unknown := names - set(QUANTITIES):
        raise BrokenPromiseError(f"declares what it records: {sorted(unknown)} are not declared")
    silent = [
        k for k, row in trainings.rows(probe, ACCUMULATED).items() if row[::2] == (None, None)
    ]
    if silent:
        raise BrokenPromiseError(f"declares what it records: {silent[0]} has no value, no reason")


def leaves_training_alone(probe: type[Probe], trainings: Trainings) -> None:
    """The weights after a watched training are those of an unwatched one, to the bit."""
    model = Net()
    optimizer = _optimizer(model)
    for x in _batches():
        _accumulated(model, optimizer, x)
    pairs = zip(model.parameters(), trainings.weights(ACCUMULATED), strict=True)
    if not all(torch.equal(one, other) for one, other in pairs):
        raise BrokenPromiseError("leaves training alone: the weights came out differently")


def reads_closures(probe: type[Probe], trainings: Trainings) -> None:
    """A closure's records are the plain loop's, to the bit."""
    _same("reads closures", trainings.rows(probe, CLOSURE), trainings.rows(probe, PLAIN))


def reads_accumulation_in_closures(probe: type[Probe], trainings: Trainings) -> None:
    """Accumulation within a closure gives the records of accumulation before the step."""
    within = trainings.rows(probe, ACCUMULATED_IN_CLOSURE)
    _same("reads accumulation in closures", within, trainings.rows(probe, ACCUMULATED))


def reads_accumulation(probe: type[Probe], trainings: Trainings) -> None:
    """A batch in parts gives the records of the whole batch, except for rounding."""
    whole, parts = trainings.rows(probe, PLAIN), trainings.rows(probe, ACCUMULATED)
    common = {key: parts[key] for key in whole.keys() & parts.keys()}
    _same("reads accumulation", common, whole, tolerance=1e-3)


def reads_scaled_losses(probe: type[Probe], trainings: Trainings) -> None:
    """A gradient scaler changes nothing but what is declared to be in the unit of its loss."""
    scaled = _in_unit_of_the_loss(trainings.rows(probe, SCALED))
    _same("reads scaled losses", scaled, trainings.rows(probe, PLAIN))


def reads_checkpointing(probe: type[Probe], trainings: Trainings) -> None:
    """Activation checkpointing, of either kind, changes nothing."""
    plain = trainings.rows(probe, PLAIN)
    for kind, manner in (("other", CHECKPOINTED), ("reentrant", REENTRANT)):
        rows = trainings.rows(probe, manner)
        _same(f"reads checkpointing ({kind} kind)", rows, plain, tolerance=1e-6)


def reads_compiled_models(probe: type[Probe], trainings: Trainings) -> None:
    """torch.compile changes nothing but rounding."""
    compiled, plain = trainings.rows(probe, COMPILED), trainings.rows(probe, PLAIN)
    _same("reads compiled models", compiled, plain, tolerance=1e-5)


Promise = Callable[[type[Probe], Trainings], None]
"""Raises where a probe breaks it."""

PROMISES: tuple[Promise, ...] = (
    declares_what_it_records,
    leaves_training_alone,
    reads_closures,
    reads_accumulation_in_closures,
    reads_accumulation,
    reads_scaled_losses,
    reads_checkpointing,
    reads_compiled_models,
)
"""What every probe promises. With DDP, FSDP2, Lightning and Transformers the tests do the same."""


def check_probe(probe: type[Probe]) -> None:
    """Put a probe through every promise; takes some seconds.

    Args:
        probe: a registered one, or one of your own.

    Raises:
        BrokenPromiseError: it breaks one; the message says which, and where.
    """
    if PROBES.get(probe.name, probe) is not probe:
        raise BrokenPromiseError(f"has a name of its own: there is a probe {probe.name!r} already")
    trainings = trainings_of(probe)
    for promise in PROMISES:
        promise(probe, trainings)


def trainings_of(probe: type[Probe]) -> Trainings:
    """Trainings in which a probe is as alone as may be."""
    return Trainings([probe], [quantity.name for quantity in probe.records])
