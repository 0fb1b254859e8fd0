"""Spectra of the applied update."""

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
class UpdateProbe(Probe):
    """Spectra of the applied update, the difference of the weights over the step."""

    name = "update"
    cadence = Cadence.RARELY
    records = quantities_of(MEASURES, Source.UPDATE)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._measured: list[Measured] = []

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        self.scene.snapshots.keep(self.scene.holdings.reads(blocks))

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        reads = holdings.reads(blocks)
        updates = {}
        for name in dict.fromkeys(block.parameter for block in reads):
            before = self.scene.snapshots.before(name)
            if before is not None and parameters[name].grad is not None:
                updates[name] = holdings.local(parameters[name]).double() - before
        parts = {block: updates.get(block.parameter) for block in reads}
        names = self.scene.spectral(Source.UPDATE)
        self._measured += holdings.measure(parts, Source.UPDATE, names)

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        self._measured = []
