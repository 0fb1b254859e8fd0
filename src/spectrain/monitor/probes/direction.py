"""Spectra of the update without decoupled weight decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.optim import Optimizer

from spectrain.core import Block, Source, quantities_of
from spectrain.matrix import MEASURES
from spectrain.monitor.measuring import Measured
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, groups_by_parameter, register
from spectrain.monitor.sample import Sample
from spectrain.optim.rules import resolve

UNDECIDED = "the optimizer does not say whether its weight decay is decoupled"


@register
class DirectionProbe(Probe):
    """Spectra of the update without its decay, where there is a decay to leave out."""

    name = "direction"
    records = quantities_of(MEASURES, Source.DIRECTION)
    cadence = Cadence.RARELY

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._factor: dict[str, float | None] = {}
        self._measured: list[Measured] = []
        self._undecided: list[Block] = []

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = groups_by_parameter(optimizer)
        for block in self.scene.holdings.reads(blocks):
            parameter = self.scene.parameters[block.parameter]
            factor = resolve(optimizer, groups[id(parameter)], parameter).decay_factor()
            self._factor[block.parameter] = factor
            if factor not in (None, 1.0):
                self.scene.snapshots.keep([block])

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        reads = holdings.reads(blocks)
        directions = {}
        for name in dict.fromkeys(block.parameter for block in reads):
            factor, before = self._factor.get(name, 1.0), self.scene.snapshots.before(name)
            if parameters[name].grad is None:
                continue
            if factor is None:
                mine = filter(holdings.owns, reads)
                self._undecided += [block for block in mine if block.parameter == name]
            elif factor != 1.0 and before is not None:
                after = holdings.local(parameters[name]).double()
                directions[name] = torch.sub(after, before, alpha=factor)
        parts = {block: directions.get(block.parameter) for block in reads}
        names = self.scene.spectral(Source.DIRECTION)
        self._measured += holdings.measure(parts, Source.DIRECTION, names)

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        for block in self._undecided:
            sample.missing(block, Source.DIRECTION, "frobenius_norm", UNDECIDED)
        self._factor, self._measured, self._undecided = {}, [], []
