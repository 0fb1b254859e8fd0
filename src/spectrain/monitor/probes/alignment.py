"""Alignment of successive updates, read out of the optimizer's state before and after a step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Source
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, groups_by_parameter, register
from spectrain.monitor.sample import Sample
from spectrain.optim.rules import resolve
from spectrain.regime.measures import REGIME_MEASURES, cosine, overlap, successive_cosine

UNDEFINED = "one of the two updates is zero or not finite"


@register
class AlignmentProbe(Probe):
    """Cosine between the previous update and this one, without decay.

    The previous update follows from the optimizer's state before the step, so none is kept.
    """

    name = "alignment"
    records = (Quantity.of(REGIME_MEASURES[successive_cosine.__name__], Source.DIRECTION),)
    cadence = Cadence.RARELY
    beside = Source.GRADIENT

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._previous: dict[Block, Tensor] = {}
        self._aligned: dict[Block, Tensor] = {}

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = groups_by_parameter(optimizer)
        for block in self.scene.holdings.reads(blocks):
            parameter = self.scene.parameters[block.parameter]
            if parameter.grad is None or parameter.grad.is_sparse:
                continue
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            direction = rule.direction(optimizer.state.get(parameter, {}))
            if direction is not None:
                self._previous[block] = self._part(block, direction)

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = groups_by_parameter(optimizer)
        for block in blocks:
            previous = self._previous.pop(block, None)
            if previous is None:
                continue
            parameter = self.scene.parameters[block.parameter]
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            current = rule.direction(optimizer.state[parameter])
            if current is not None:
                self._aligned[block] = overlap(previous, self._part(block, current))

    def _part(self, block: Block, tensor: Tensor) -> Tensor:
        """What of the block's matrix lies here, in float64."""
        holdings = self.scene.holdings
        return holdings.part_of_matrix(block, holdings.local(tensor)).double()

    def detach(self, sample: Sample) -> None:
        for block, sums in self.scene.holdings.sums(self._aligned, 3).items():
            name = successive_cosine.__name__
            sample.number(block, Source.DIRECTION, name, cosine(sums), undefined=UNDEFINED)
        self._previous, self._aligned = {}, {}
