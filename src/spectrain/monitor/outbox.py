"""The outbox: the last sample and what the loop logged, until they go to the sinks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import isfinite
from time import perf_counter
from typing import Any

from torch import Tensor

from spectrain.core import InputError, MonitorWarning, Record, Sink, Source
from spectrain.monitor.guard import Guard
from spectrain.monitor.sample import Sample
from spectrain.records import LOSS, NOT_FINITE

FLUSH_SECONDS = 20.0
"""Records are handed to disk at least this often, so that a kill loses no more."""

LOGGED = 256
"""Logged values that are handed on together, as each time costs; at a sample in any case."""


PARTS = ("batch_size", "tokens")
"""Numbers that are logged of a process and recorded for all of them."""


class Outbox:
    """Hands on one sample at a time, once its step's batch size is known.

    Args:
        sinks: where records go.
        guard: contains failures.
        writes: whether this process records what the loop logs.
    """

    def __init__(self, sinks: Sequence[Sink], guard: Guard, *, writes: bool) -> None:
        self._sinks, self._guard, self._writes = list(sinks), guard, writes
        self._logged: list[tuple[int, str, float | Tensor]] = []
        self._batch_size: int | None = None
        self._flushed = perf_counter()
        self._warned = False
        self.held: Sample | None = None

    @property
    def is_due(self) -> bool:
        """Whether something should be handed on before the next step."""
        waited = perf_counter() - self._flushed > FLUSH_SECONDS
        return self.held is not None or waited or len(self._logged) >= LOGGED

    def log(self, step: int, name: str, value: Any, *, processes: int) -> None:
        """Take a number; each process logs its own part of those in :data:`PARTS`."""
        number = _scalar(name, value)
        if name in PARTS:
            number = number * processes
        if name == "batch_size":
            self._batch_size = int(number)
        self._logged.append((step, name, number))

    def begin_step(self) -> None:
        """A step begins: hand on what waits, and forget the batch size."""
        if self.is_due:
            self.release()
        self._batch_size = None

    def release(self) -> None:
        """Spell out the last sample and what was logged, and pass it to the sinks."""
        if self.held is None and not self._logged:
            return
        records: list[Record] = []
        with self._guard("records"):
            records += [
                Record(step, None, Source.TRAINING, name, float(value))
                for step, name, value in self._logged
                if self._writes
            ]
            self._logged.clear()
            held, self.held = self.held, None
            if held is not None:
                numbers, spectra = held.spell_out(self._batch_size)
                records += numbers
                for sink in self._sinks:
                    sink.write_spectra(spectra)
            for sink in self._sinks:
                sink.write(records)
            if perf_counter() - self._flushed > FLUSH_SECONDS:
                self._flush()
        self._tell(records)

    def _tell(self, records: Sequence[Record]) -> None:
        """Warn of the first thing that is not finite, once."""
        if self._warned:
            return
        for row in sorted(filter(_is_event, records), key=lambda row: row.step):
            self._warned = True
            name = row.measure if row.block is None else f"{row.source} of {row.block}"
            warnings.warn(
                f"spectrain: {name} is not finite (NaN or infinite) at step {row.step}; "
                "spectra say nothing from here on",
                MonitorWarning,
                stacklevel=2,
            )
            return

    def flush(self) -> None:
        """Put the records of the steps that are complete on disk."""
        self.release()
        with self._guard("records"):
            self._flush()

    def _flush(self) -> None:
        for sink in self._sinks:
            sink.flush()
        self._flushed = perf_counter()

    def close(self, summary: Mapping[str, Any]) -> None:
        """Hand on everything and finish."""
        self.release()
        for sink in self._sinks:
            with self._guard("records"):
                sink.close(summary)


def _is_event(row: Record) -> bool:
    if row.source is Source.TRAINING:
        return row.measure == LOSS and row.value is not None and not isfinite(row.value)
    return row.measure == NOT_FINITE


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
