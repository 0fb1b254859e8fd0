"""Matrices in, records out: equal shapes in one batch, one transfer to the host for a sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

import torch
from torch import Tensor

from spectrain.core import Block, Record, Source, SpectrumRecord
from spectrain.matrix import (
    MEASURES,
    RECORD_RTOL,
    UNRESOLVED,
    Spectrum,
    diagonal_spectrum,
    spectrum,
)

K = TypeVar("K", bound=Hashable)

BATCH_BYTES = 1 << 26
"""Equal-shaped matrices are stacked up to this size in float64."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Spectra of blocks of one shape, still on their device, and which measures are wanted."""

    blocks: tuple[Block, ...]
    source: Source
    names: tuple[str, ...]
    spectrum: Spectrum


def measure_blocks(
    matrices: Mapping[Block, Tensor], source: Source, names: Sequence[str]
) -> list[Measured]:
    """Spectra of every block's matrix, for the named measures."""
    return [
        _measure(blocks, [matrices[block] for block in blocks], source, names)
        for blocks in batches(matrices)
    ]


def batches(tensors: Mapping[K, Tensor]) -> Iterator[tuple[K, ...]]:
    """The names of tensors that can be stacked: of one shape, dtype, device, and not too many."""
    groups: dict[tuple[torch.Size, torch.dtype, torch.device], list[K]] = defaultdict(list)
    for name, tensor in tensors.items():
        groups[tensor.shape, tensor.dtype, tensor.device].append(name)
    for (shape, _, _), names in groups.items():
        size = max(1, BATCH_BYTES // max(1, 8 * shape.numel()))
        for start in range(0, len(names), size):
            yield tuple(names[start : start + size])


def matching(source: Source, patterns: Sequence[str]) -> tuple[str, ...]:
    """Names of the spectral measures that match a pattern such as ``"gradient/*_rank"``.

    Example:
        >>> matching(Source.GRADIENT, ["gradient/*_rank"])
        ('nuclear_rank', 'stable_rank', 'effective_rank')
    """
    return tuple(
        name
        for name in MEASURES
        if any(fnmatchcase(f"{source}/{name}", pattern) for pattern in patterns)
    )


def to_records(
    measured: Sequence[Measured], step: int, batch_size: int | None
) -> tuple[list[Record], list[SpectrumRecord]]:
    """Bring everything to the host at once and spell it out, row by row."""
    if not measured:
        return [], []
    values_of = _evaluated(measured)
    host = _to_host([_flat(m, own) for m, own in zip(measured, values_of, strict=True)])
    records: list[Record] = []
    spectra: list[SpectrumRecord] = []
    start = 0
    for m in measured:
        blocks, rank = m.spectrum.values.shape
        count = batch_size if m.source is Source.GRADIENT else None
        sizes = [len(m.names) * blocks, blocks * rank, blocks, blocks]
        values, sigma, error, status = host[start : start + sum(sizes)].split(sizes)
        start += sum(sizes)
        on_host = Spectrum(
            sigma.reshape(blocks, rank),
            m.spectrum.error,
            m.spectrum.shape,
            m.spectrum.method,
            status.to(torch.int8),
        )
        reasons = on_host.reasons
        table = values.reshape(len(m.names), blocks).tolist()
        records.extend(_rows(m, table, reasons, step, count))
        for index, block in enumerate(m.blocks):
            spectra.append(
                SpectrumRecord(
                    step,
                    block.name,
                    m.source,
                    on_host.values[index].numpy(),
                    m.spectrum.method,
                    float(error[index]),
                    count,
                    reasons[index],
                )
            )
    return records, spectra


def _rows(
    m: Measured,
    table: list[list[float]],
    reasons: list[str | None],
    step: int,
    count: int | None,
) -> Iterator[Record]:
    for name, row in zip(m.names, table, strict=True):
        for block, value, reason in zip(m.blocks, row, reasons, strict=True):
            missing = value != value
            why = reason or (UNRESOLVED if missing else None)
            yield Record(
                step, block.name, m.source, name, None if missing else value, None, count, why
            )


def _evaluated(measured: Sequence[Measured]) -> list[Tensor]:
    """The measures (names × blocks) of each; spectra of equal length are evaluated together."""
    alike: dict[tuple[int, tuple[str, ...], torch.device], list[int]] = defaultdict(list)
    for index, m in enumerate(measured):
        values = m.spectrum.values
        alike[values.shape[-1], m.names, values.device].append(index)
    evaluated = [torch.empty(0)] * len(measured)
    for (_, names, _), chosen in alike.items():
        spectra = [measured[index].spectrum for index in chosen]
        whole = Spectrum(
            torch.cat([s.values for s in spectra]),
            torch.cat([s.error for s in spectra]),
            spectra[0].shape,
            spectra[0].method,
            torch.cat([s.status for s in spectra]),
        )
        values = torch.stack([MEASURES[name](whole) for name in names])
        for index, own in zip(chosen, values.split([len(s) for s in spectra], 1), strict=True):
            evaluated[index] = own
    return evaluated


def _flat(m: Measured, values: Tensor) -> Tensor:
    s = m.spectrum
    bound = s.error.amax(-1) if s.error.shape[-1] else s.error.sum(-1)
    return torch.cat([values.flatten(), s.values.flatten(), bound, s.status.double()])


def _to_host(parts: list[Tensor]) -> Tensor:
    if len({part.device for part in parts}) == 1:
        return torch.cat(parts).cpu()
    return torch.cat([part.cpu() for part in parts])


def _measure(
    blocks: tuple[Block, ...], matrices: list[Tensor], source: Source, names: Sequence[str]
) -> Measured:
    stack = torch.stack(matrices) if len(matrices) > 1 else matrices[0].unsqueeze(0)
    diagonal = blocks[0].view.diagonal
    s = diagonal_spectrum(stack) if diagonal else spectrum(stack, rtol=RECORD_RTOL)
    return Measured(blocks, source, tuple(names), s)
