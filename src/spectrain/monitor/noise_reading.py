"""What replicas of one step's gradient left behind, until the step's batch size is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import torch
from torch import Tensor

from spectrain.core import Block, Record, Source
from spectrain.monitor.order import ORDERED, OrderedStep
from spectrain.noise import NO_BATCH_SIZE, HeldNoise, Power, directional_records, scalar_measures
from spectrain.noise.snr import NEED_ENTRIES


@dataclass(slots=True)
class NoiseReading:
    """Replicas of the gradients of one step.

    Attributes:
        count: number R of replicas.
        powers: energies of every block, on its device.
        held: full statistics of the blocks whose replicas were held.
        reasons: why a block has none, or only energies.
        total: energies of the network, where the blocks are not all here.
        whole: whether they are.
        order: the test of their order, unless they were declared to be replicas.
    """

    count: int
    powers: Mapping[Block, Power] = field(default_factory=dict)
    held: Mapping[Block, HeldNoise] = field(default_factory=dict)
    reasons: Mapping[Block, str] = field(default_factory=dict)
    total: Power | None = None
    whole: bool = True
    order: OrderedStep | None = None

    def rows(self, step: int, batch_size: int | None) -> list[Record]:
        """One row a number; the network as a whole has no block."""
        order = [] if self.order is None else self.order.rows(step, self.count)
        if self.order is not None and self.order.test.refused:
            blocks = [*self.powers, *self.reasons]
            return [*order, *(_none(step, block, self.count, ORDERED) for block in blocks)]
        examples = None if batch_size is None else batch_size / self.count
        powers = _on_host(self.powers)
        rows = order
        total = reduce(add, powers.values()) if powers and self.whole else self.total
        if total is not None:
            rows += _power_records(step, None, total, examples)
        for block, power in powers.items():
            held = self.held.get(block)
            if held is not None and held.scalar.snr_unbiased.replicas == self.count:
                rows += held.scalar_records(step, block.name, examples=examples)
            else:  # merged replicas stand for larger batches
                rows += _power_records(step, block.name, power, examples)
            if held is not None and held.directional is not None:
                rows += directional_records(step, block.name, held.directional)
        rows += [_none(step, b, self.count, reason) for b, reason in self.reasons.items()]
        return rows


def _none(step: int, block: Block, count: int, reason: str) -> Record:
    """The row of a block without noise."""
    return Record(step, block.name, Source.NOISE, "zeta_emp", None, None, count, reason)


def _power_records(
    step: int, block: str | None, power: Power, examples: float | None
) -> list[Record]:
    if not (power.mean_square.isfinite() and power.scatter.isfinite()):
        return [_row(step, block, "snr_unbiased", math.nan, power.count, "not finite")]
    reason = None
    if not power.mean_square + power.scatter:
        reason = "zero gradient"
    elif not power.scatter:
        reason = "the replicas are identical"
    rows = []
    for name, value in scalar_measures(power).items():
        if name in NEED_ENTRIES:
            continue
        why = reason
        if name == "noise_scale":
            value *= math.nan if examples is None else examples
            why = reason or (NO_BATCH_SIZE if examples is None else None)
        rows.append(_row(step, block, name, value, power.count, why))
    return rows


def _row(
    step: int, block: str | None, name: str, value: float, count: int, reason: str | None
) -> Record:
    if not math.isfinite(value):
        return Record(step, block, Source.NOISE, name, None, None, count, reason or "undefined")
    return Record(step, block, Source.NOISE, name, value, None, count, reason)


def _on_host(powers: Mapping[Block, Power]) -> dict[Block, Power]:
    """The energies in one transfer."""
    if not powers:
        return {}
    pairs: Sequence[Tensor] = [torch.stack([p.mean_square, p.scatter]) for p in powers.values()]
    if len({pair.device for pair in pairs}) > 1:
        pairs = [pair.cpu() for pair in pairs]
    table = torch.stack(list(pairs)).cpu()
    return {
        block: Power(p.count, p.weight, row[0], row[1], p.entries)
        for (block, p), row in zip(powers.items(), table, strict=True)
    }
