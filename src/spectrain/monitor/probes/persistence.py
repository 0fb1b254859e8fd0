"""Persistence of gradients, read out of the optimizer's own memory of the past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Source
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, groups_by_parameter, register
from spectrain.monitor.sample import Sample
from spectrain.optim.rules import resolve
from spectrain.regime.measures import REGIME_MEASURES, foretold, overlap, persistent_energy

UNDEFINED = "the gradient or its average is zero or not finite"


@register
class PersistenceProbe(Probe):
    """Share of the gradients' energy that momentum predicts.

    Before its step an optimizer holds an average of the earlier gradients alone, so no second
    backward pass and no memory of the monitor's own are needed. Optimizers without one leave no
    records. Of sharded parameters the sums over the shards are added up.
    """

    name = "persistence"
    cadence = Cadence.OFTEN
    records = (Quantity.of(REGIME_MEASURES[persistent_energy.__name__], Source.GRADIENT),)
    beside = Source.GRADIENT

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._foretold: dict[Block, Tensor] = {}

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups, holdings = groups_by_parameter(optimizer), self.scene.holdings
        of_parameter: dict[str, list[Block]] = defaultdict(list)
        for block in holdings.reads(blocks):
            of_parameter[block.parameter].append(block)
        for name, own in of_parameter.items():  # one average is held at a time
            average = self._average(optimizer, groups, self.scene.parameters[name])
            for block in own:
                gradient = None if average is None else self.scene.gradient(block, optimizer)
                if average is not None and gradient is not None:
                    past = holdings.part_of_matrix(block, average)
                    self._foretold[block] = overlap(gradient, past)

    def _average(
        self,
        optimizer: Optimizer,
        groups: Mapping[int, Mapping[str, Any]],
        parameter: nn.Parameter,
    ) -> Tensor | None:
        """What of a parameter's past average lies here; ``None`` where there is none."""
        if parameter.grad is None or parameter.grad.is_sparse:
            return None
        rule = resolve(optimizer, groups[id(parameter)], parameter)
        average = rule.average(optimizer.state.get(parameter, {}), parameter)
        return None if average is None else self.scene.holdings.local(average)

    def detach(self, sample: Sample) -> None:
        for block, sums in self.scene.holdings.sums(self._foretold, 3).items():
            error = (sums[2] / sums[1] / _entries(block)).sqrt()
            name = persistent_energy.__name__
            sample.number(
                block, Source.GRADIENT, name, foretold(sums), error=error, undefined=UNDEFINED
            )
        self._foretold = {}


def _entries(block: Block) -> int:
    return block.shape[0] if block.view.diagonal else prod(block.shape)
