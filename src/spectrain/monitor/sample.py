"""What one sampled step left behind, on its devices until it is spelled out as records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from spectrain.core import Block, Record, Source, SpectrumRecord
from spectrain.matrix import REASONS, SpectrumStatus
from spectrain.monitor.measuring import Measured, to_records

NOT_FINITE = str(REASONS[SpectrumStatus.NOT_FINITE])


@runtime_checkable
class Reading(Protocol):
    """What a probe read and makes rows of once the step's batch size is known."""

    def rows(self, step: int, batch_size: int | None) -> Iterable[Record]:
        """The rows; the devices may be waited for."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number on its device, and what its row says of it."""

    block: str | None
    source: Source
    measure: str
    value: Tensor
    error: Tensor | None
    of_batch: bool
    undefined: str
    zero: str | None


@dataclass(slots=True)
class Sample:
    """The readings of one step; a probe adds to whichever part suits it.

    Attributes:
        step: which.
        measured: spectra.
        numbers: see :meth:`number`.
        records: rows that are complete.
        readings: whatever makes rows of its own.
        memory_bytes: memory that was held for them.
    """

    step: int
    measured: list[Measured] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    memory_bytes: int = 0

    def number(
        self,
        block: Block | str | None,
        source: Source,
        measure: str,
        value: Tensor,
        *,
        error: Tensor | None = None,
        of_batch: bool = False,
        undefined: str = NOT_FINITE,
        zero: str | None = None,
    ) -> None:
        """Add a number that may still lie on a device; all of a step come over at once.

        Args:
            block: which, or the name of what it speaks of.
            source: what was measured.
            measure: name of the measure.
            value: a scalar.
            error: its standard error or error bound.
            of_batch: the row's count is the batch size.
            undefined: the reason where value or error is not finite.
            zero: the reason where the value is 0.
        """
        name = block.name if isinstance(block, Block) else block
        self.numbers.append(Number(name, source, measure, value, error, of_batch, undefined, zero))

    def missing(self, block: Block | str, source: Source, measure: str, reason: str) -> None:
        """Say why there is no number."""
        name = block.name if isinstance(block, Block) else block
        self.records.append(Record(self.step, name, source, measure, None, reason=reason))

    def spell_out(self, batch_size: int | None) -> tuple[list[Record], list[SpectrumRecord]]:
        """All records and spectra of the step; waits for the devices."""
        records, spectra = to_records(self.measured, self.step, batch_size)
        records += self.records
        records += self._number_records(batch_size)
        for reading in self.readings:
            records += reading.rows(self.step, batch_size)
        return records, spectra

    def _number_records(self, batch_size: int | None) -> Iterable[Record]:
        values = on_host([n.value for n in self.numbers])
        errors = iter(on_host([n.error for n in self.numbers if n.error is not None]))
        for number, value in zip(self.numbers, values, strict=True):
            error = None if number.error is None else next(errors)
            row = partial(Record, self.step, number.block, number.source, number.measure)
            count = batch_size if number.of_batch else None
            if isfinite(value) and isfinite(error or 0.0):
                yield row(value, error, count, None if value else number.zero)
            else:
                yield row(None, None, count, number.undefined)


def on_host(values: list[Tensor]) -> list[float]:
    """Numbers of any devices in one transfer."""
    if not values:
        return []
    if len({(value.device, value.dtype) for value in values}) > 1:
        device = values[0].device
        values = [value.double().to(device) for value in values]
    return torch.stack(values).double().tolist()
