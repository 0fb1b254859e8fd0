"""The coordinate check, live: how far a step of each matrix moves its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import NOT_FINITE, Sample, on_host
from spectrain.stability import rms_gain, sampled_gain, second_moment_energy

MEASURE = "rms_gain"
CITATION = "Yang, Simon & Bernstein 2023, arXiv:2310.17813, §3"

Gain = tuple[Tensor, Tensor | None]
"""A gain and its standard error, where it is one of a sample of columns."""


@register
class ResponseProbe(Probe):
    """‖ΔW x‖_rms/‖x‖_rms of the step that ends, and ‖W x‖_rms/‖x‖_rms, on the step's own batch.

    From the second moment of the input, which is exact, or of wide inputs from sampled columns,
    with their standard error. Sharded matrices are put together in the process that holds the
    moments. Embeddings and gains are left out: their inputs have no coordinates.
    """

    name = "response"
    cadence = Cadence.SELDOM
    records = (
        Quantity(
            Source.UPDATE, MEASURE, unit="1", formula="‖ΔW x‖_rms / ‖x‖_rms", citation=CITATION
        ),
        Quantity(
            Source.WEIGHT, MEASURE, unit="1", formula="‖W x‖_rms / ‖x‖_rms", citation=CITATION
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._moved: dict[Block, None] = {}

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        fed = [b for b in blocks if b.literal_input is not None and not b.view.diagonal]
        self.scene.snapshots.keep(fed)
        self._moved |= dict.fromkeys(fed)

    def detach(self, sample: Sample) -> None:
        holdings, moments = self.scene.holdings, self.scene.inputs.moments
        at = holdings.holders({b: b.literal_input in moments for b in self._moved})
        parameters, snapshots = self.scene.parameters, self.scene.snapshots
        weights = {block: holdings.local(parameters[block.parameter]) for block in at}
        after = holdings.gathered(weights, at)
        before = holdings.gathered({b: snapshots.before(b.parameter) for b in at}, at)
        measured: list[tuple[Block, Source, Gain]] = []
        alike: dict[tuple[int, torch.Size], tuple[Tensor, list[Block]]] = {}
        for block, matrix in after.items():
            own = None if block.literal_input is None else moments.get(block.literal_input)
            if own is None or block not in before:
                continue
            if own.leading is not None:
                columns = own.leading.sample
                for source, one in _pair(matrix, before[block]):
                    measured.append((block, source, sampled_gain(one.to(columns.dtype), columns)))
            elif own.second is not None and own.second.ndim == 2:
                alike.setdefault((id(own.second), matrix.shape), (own.second, []))[1].append(block)
        for second, blocks in alike.values():
            fed = second.diagonal().double().sum().expand(len(blocks))
            stacks = (torch.stack([whole[block] for block in blocks]) for whole in (after, before))
            for source, one in _pair(*stacks):
                gains = rms_gain(
                    second_moment_energy(one.to(second.dtype), second), fed, blocks[0].shape
                )
                measured += [(b, source, (g, None)) for b, g in zip(blocks, gains, strict=True)]
        sample.readings.append(ResponseReading(measured))
        self._moved = {}


@dataclass(frozen=True, slots=True)
class ResponseReading:
    """Gains on their devices."""

    gains: Sequence[tuple[Block, Source, Gain]]

    def rows(self, step: int, batch_size: int | None) -> Iterator[Record]:
        """One a gain; 0 is the gain of weights that did not move."""
        values = on_host([gain for _, _, (gain, _) in self.gains])
        errors = iter(on_host([error for _, _, (_, error) in self.gains if error is not None]))
        for (block, source, (_, error)), value in zip(self.gains, values, strict=True):
            spread = None if error is None else next(errors)
            row = Record(step, block.name, source, MEASURE, None)
            if isfinite(value) and isfinite(spread or 0.0):
                yield replace(row, value=value, error=spread)
            else:
                yield replace(row, reason=NOT_FINITE)


def _pair(after: Tensor, before: Tensor) -> Iterator[tuple[Source, Tensor]]:
    """A matrix and what the step made of it."""
    precise = torch.promote_types(after.dtype, torch.float32)
    yield Source.WEIGHT, after
    yield Source.UPDATE, after.to(precise) - before
