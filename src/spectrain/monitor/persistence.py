"""Persistence of gradients and updates, read out of the optimizer's own memory of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod

from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.core import Block, Record, Source
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.probes import Probe
from spectrain.monitor.sample import Sample, on_host
from spectrain.optim.rules import resolve
from spectrain.regime.measures import (
    cosine,
    foretold,
    overlap,
    persistent_energy,
    successive_cosine,
)


class PersistenceProbe(Probe):
    """Share of the gradients' energy that momentum foretells, and alignment of updates.

    Before its step an optimizer holds an average of the earlier gradients alone, so no second
    backward pass and no memory of the monitor's own are needed. Adam's previous update follows from
    its state likewise. Other optimizers leave no records. Of sharded parameters the sums over the
    shards are added up.
    """

    name = "persistence"

    def __init__(self, parameters: Mapping[str, nn.Parameter], holdings: Holdings) -> None:
        self._parameters = parameters
        self._holdings = holdings
        self._previous: dict[Block, Tensor] = {}
        self._foretold: dict[Block, Tensor] = {}
        self._aligned: dict[Block, Tensor] = {}
        self._full = True

    def attach(self, *, full: bool) -> None:
        self._full = full

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        scale = getattr(optimizer, "grad_scale", None)
        for block in self._holdings.reads(blocks):
            parameter = self._parameters[block.parameter]
            state, gradient = optimizer.state.get(parameter, {}), parameter.grad
            if gradient is None or gradient.is_sparse:
                continue
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            average = rule.average(state, parameter)
            if average is None:
                continue
            direction = rule.direction(state) if self._full else None
            if direction is not None:
                self._previous[block] = self._part(block, direction)
            gradient = self._holdings.gradient(parameter)
            if gradient is not None:
                g = self._holdings.part_of_matrix(block, gradient).double()
                g = g if scale is None else g / scale
                self._foretold[block] = overlap(g, self._part(block, average))

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for block in blocks:
            previous = self._previous.pop(block, None)
            if previous is None:
                continue
            parameter = self._parameters[block.parameter]
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            current = rule.direction(optimizer.state[parameter])
            if current is not None:
                self._aligned[block] = overlap(previous, self._part(block, current))

    def _part(self, block: Block, tensor: Tensor) -> Tensor:
        """What of the block's matrix lies here, in float64."""
        return self._holdings.part_of_matrix(block, self._holdings.local(tensor)).double()

    def detach(self, sample: Sample) -> None:
        foretelling = self._holdings.sums(self._foretold, 3)
        alignment = self._holdings.sums(self._aligned, 3)
        numbers = [
            (foretold(sums), (sums[2] / sums[1] / _entries(block)).sqrt())
            for block, sums in foretelling.items()
        ]
        shares = on_host([number for pair in numbers for number in pair])
        for block, value, error in zip(foretelling, shares[::2], shares[1::2], strict=True):
            name = persistent_energy.__name__
            sample.records.append(_record(sample.step, block, Source.GRADIENT, name, value, error))
        cosines = on_host([cosine(sums) for sums in alignment.values()])
        for block, value in zip(alignment, cosines, strict=True):
            name = successive_cosine.__name__
            sample.records.append(_record(sample.step, block, Source.DIRECTION, name, value, None))
        self._previous, self._foretold, self._aligned = {}, {}, {}


def _entries(block: Block) -> int:
    return block.shape[0] if block.view.diagonal else prod(block.shape)


def _record(
    step: int, block: Block, source: Source, measure: str, value: float, error: float | None
) -> Record:
    if not isfinite(value) or not (error is None or isfinite(error)):
        reason = "the gradient, its average or the update is zero or not finite"
        return Record(step, block.name, source, measure, None, reason=reason)
    return Record(step, block.name, source, measure, value, error)
