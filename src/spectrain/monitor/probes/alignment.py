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
        reads = self.scene.holdings.reads(blocks)
        trained = [b for b in reads if self.scene.parameters[b.parameter].grad is not None]
        for block, part in self._directions(optimizer, trained).items():
            self._previous[block] = part.clone()  # it may be the state that the step overwrites

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        known = [block for block in blocks if block in self._previous]
        for block, current in self._directions(optimizer, known).items():
            self._aligned[block] = overlap(self._previous[block], current)
        for block in known:
            del self._previous[block]

    def _directions(self, optimizer: Optimizer, blocks: Sequence[Block]) -> dict[Block, Tensor]:
        """What of each block's direction lies here; each parameter's is made once."""
        groups, holdings = groups_by_parameter(optimizer), self.scene.holdings
        whole: dict[str, Tensor | None] = {}
        for name in dict.fromkeys(block.parameter for block in blocks):
            parameter = self.scene.parameters[name]
            if parameter.grad is not None and parameter.grad.is_sparse:
                continue
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            direction = rule.direction(optimizer.state.get(parameter, {}))
            whole[name] = None if direction is None else holdings.local(direction)
        return {
            block: holdings.part_of_matrix(block, direction)
            for block in blocks
            if (direction := whole.get(block.parameter)) is not None
        }

    def detach(self, sample: Sample) -> None:
        for block, sums in self.scene.holdings.sums(self._aligned, 3).items():
            name = successive_cosine.__name__
            sample.number(block, Source.DIRECTION, name, cosine(sums), undefined=UNDEFINED)
        self._previous, self._aligned = {}, {}
