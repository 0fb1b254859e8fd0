"""What a spectral optimizer intends: the scale of its step, from the settings of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod, sqrt

from torch import nn
from torch.optim import Optimizer

from spectrain.core import Block, Record, Source
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.probes import Probe
from spectrain.monitor.sample import Sample
from spectrain.optim.rules import resolve


class IntendedProbe(Probe):
    """Scale and RMS of the step that a spectral optimizer is set to take, block by block.

    Which steps are orthogonal and how long they mean to be is for :mod:`spectrain.optim.rules` to
    tell. A step ΔW = s·U with orthogonal U has all singular values s: Muon's learning rate times
    its factor for the shape. A block that is a part of its parameter is given the scale of the
    whole.
    """

    name = "intended"

    def __init__(self, parameters: Mapping[str, nn.Parameter], holdings: Holdings) -> None:
        self._parameters = parameters
        self._holdings = holdings
        self._records: list[Record] = []

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for block in filter(self._holdings.owns, blocks):
            parameter = self._parameters[block.parameter]
            rule = resolve(optimizer, groups[id(parameter)], parameter)
            if parameter.grad is None or not rule.isometric(tuple(parameter.shape)):
                continue
            shape = (parameter.shape[0], prod(parameter.shape[1:]))
            length = rule.intended(shape)
            scale, reason = length.scale, length.reason
            rms = None if scale is None else scale * sqrt(min(shape) / (shape[0] * shape[1]))
            for measure, value in (("intended_scale", scale), ("intended_rms", rms)):
                row = Record(0, block.name, Source.DIRECTION, measure, value, reason=reason)
                self._records.append(row)

    def detach(self, sample: Sample) -> None:
        sample.settings += self._records
        self._records = []
