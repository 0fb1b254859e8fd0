"""Spectra of the weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch.optim import Optimizer

from spectrain.core import Block, Source, quantities_of
from spectrain.matrix import MEASURES
from spectrain.monitor.measuring import Measured
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample


@register
class WeightProbe(Probe):
    """Spectra of the weights after the update."""

    name = "weight"
    records = quantities_of(MEASURES, Source.WEIGHT)
    cadence = Cadence.RARELY

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._measured: list[Measured] = []

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        reads = holdings.reads(blocks)
        names = dict.fromkeys(block.parameter for block in reads)
        after = {name: holdings.local(parameters[name]) for name in names}
        parts = {block: after[block.parameter] for block in reads}
        wanted = self.scene.spectral(Source.WEIGHT)
        self._measured += holdings.measure(parts, Source.WEIGHT, wanted)

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        self._measured = []
