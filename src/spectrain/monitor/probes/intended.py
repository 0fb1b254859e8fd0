"""What a spectral optimizer intends: the scale of its step, from the settings of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.monitor.plan import SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, groups_by_parameter, register
from spectrain.monitor.sample import Sample
from spectrain.optim.rules import resolve


@register
class IntendedProbe(Probe):
    """Scale and RMS of the step that a spectral optimizer is set to take, block by block.

    :mod:`spectrain.optim.rules` says which steps are orthogonal and how long they are meant to be.
    A step ΔW = s·U with orthogonal U has all singular values s: Muon's learning rate times its
    factor for the shape. A block that is a part of its parameter is given the scale of the whole.
    """

    name = "intended"
    records = (
        Quantity(
            Source.DIRECTION,
            "intended_scale",
            unit="unit of W",
            formula="s where the step is set to be s·U, U orthogonal",
        ),
        Quantity(
            Source.DIRECTION,
            "intended_rms",
            unit="unit of W",
            formula="s·√(min(m, n)/(m·n)), the root mean square entry of s·U",
        ),
    )

    beside = Source.DIRECTION

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._step = 0
        self._records: list[Record] = []

    def begin(self, plan: SamplePlan) -> None:
        self._step = plan.step

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = groups_by_parameter(optimizer)
        for block in filter(self.scene.holdings.owns, blocks):
            parameter = self.scene.parameters[block.parameter]
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            if parameter.grad is None or not rule.isometric(tuple(parameter.shape)):
                continue
            shape = (parameter.shape[0], prod(parameter.shape[1:]))
            length = rule.intended(shape)
            scale, reason = length.scale, length.reason
            rms = None if scale is None else scale * sqrt(min(shape) / (shape[0] * shape[1]))
            for measure, value in (("intended_scale", scale), ("intended_rms", rms)):
                row = Record(
                    self._step, block.name, Source.DIRECTION, measure, value, reason=reason
                )
                self._records.append(row)

    def detach(self, sample: Sample) -> None:
        sample.records += self._records
        self._records = []
