"""What one sampled step left behind, on its devices until it is spelled out as records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from spectrain.core import Block, Record, Source, SpectrumRecord
from spectrain.matrix import REASONS, Status
from spectrain.monitor.activations import ActivationNorms
from spectrain.monitor.measuring import Measured, to_records
from spectrain.monitor.noise_reading import NoiseReading


@dataclass(slots=True)
class Sample:
    """The readings of one step."""

    step: int
    measured: list[Measured] = field(default_factory=list)
    activations: list[tuple[Block, Source, ActivationNorms]] = field(default_factory=list)
    backward: dict[Block, Tensor] = field(default_factory=dict)
    settings: list[Record] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    noise: NoiseReading | None = None
    memory_bytes: int = 0

    def spell_out(self, batch_size: int | None) -> tuple[list[Record], list[SpectrumRecord]]:
        """All records and spectra of the step; waits for the devices."""
        records, spectra = to_records(self.measured, self.step, batch_size)
        records += self.records
        records += [replace(record, step=self.step) for record in self.settings]
        records += self._backward_records(batch_size)
        records += self._activation_records()
        if self.noise is not None:
            records += self.noise.records(self.step, batch_size)
        return records, spectra

    def _backward_records(self, batch_size: int | None) -> list[Record]:
        values = on_host(list(self.backward.values()))
        return [
            _record(self.step, block, Source.BACKWARD, "frobenius_norm", value, None, batch_size)
            for block, value in zip(self.backward, values, strict=True)
        ]

    def _activation_records(self) -> list[Record]:
        norms = [entry for _, _, entry in self.activations]
        frobenius = on_host([n.frobenius for n in norms])
        operator = on_host([n.operator for n in norms])
        error = on_host([n.error for n in norms])
        records = []
        for index, (block, source, n) in enumerate(self.activations):
            top, total, bound = operator[index], frobenius[index], error[index]
            stable = total / top if top else 0.0
            row = (self.step, block, source)
            stable_error = stable * bound / top if top else None
            records += [
                _record(*row, "stable_rank", stable, stable_error, n.columns),
                _record(*row, "frobenius_norm", total**0.5, None, n.columns),
                _record(*row, "operator_norm", max(top, 0.0) ** 0.5, None, n.columns),
            ]
        return records


def _record(
    step: int,
    block: Block,
    source: Source,
    measure: str,
    value: float,
    error: float | None,
    count: int | None,
) -> Record:
    if value != value:
        not_finite = REASONS[Status.NOT_FINITE]
        return Record(step, block.name, source, measure, None, None, count, not_finite)
    reason = REASONS[Status.ZERO] if value == 0 else None
    return Record(step, block.name, source, measure, value, error, count, reason)


def on_host(values: list[Tensor]) -> list[float]:
    """Numbers of any devices in one transfer."""
    if not values:
        return []
    device = values[0].device
    return torch.stack([value.double().to(device) for value in values]).tolist()
