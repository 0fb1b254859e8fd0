"""What a spectral optimizer intends: the scale of its step, from the settings of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any

from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.monitor.plan import SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, groups_by_parameter, register
from spectrain.monitor.sample import Sample

UNKNOWN_SCALE = "the optimizer does not tell how long its orthogonal step is meant to be"
FOLLOWS_GRADIENT = "the length follows the gradient's nuclear norm"


@register
class IntendedProbe(Probe):
    """Scale and RMS of the step that a spectral optimizer is set to take, block by block.

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
            group = groups[id(parameter)]
            if parameter.grad is None or not is_spectral(optimizer, group):
                continue
            shape = (parameter.shape[0], prod(parameter.shape[1:]))
            scale, reason = intended_scale(optimizer, group, shape)
            rms = None if scale is None else scale * sqrt(min(shape) / (shape[0] * shape[1]))
            for measure, value in (("intended_scale", scale), ("intended_rms", rms)):
                row = Record(
                    self._step, block.name, Source.DIRECTION, measure, value, reason=reason
                )
                self._records.append(row)

    def detach(self, sample: Sample) -> None:
        sample.records += self._records
        self._records = []


def is_spectral(optimizer: Optimizer, group: Mapping[str, Any]) -> bool:
    """Whether a group's steps are meant to be orthogonal: by its flag, or the class's name.

    Example:
        >>> import torch
        >>> muon = torch.optim.Muon([torch.zeros(2, 2, requires_grad=True)])
        >>> is_spectral(muon, muon.param_groups[0])
        True
    """
    if "use_muon" in group:
        return bool(group["use_muon"])
    if "step" in group and isinstance(group["step"], str):
        return group["step"] == "spectral"
    return "muon" in type(optimizer).__name__.lower()


def intended_scale(
    optimizer: Optimizer, group: Mapping[str, Any], shape: tuple[int, int]
) -> tuple[float | None, str | None]:
    """All singular values of the intended step, or why they are not known.

    torch.optim.Muon: η·√max(1, m/n), or η·0.2·√max(m, n) with ``match_rms_adamw``.

    Source:
        Jordan et al. 2024 (Muon); Liu et al. 2025, arXiv:2502.16982, §2.2 (the second factor).

    Example:
        >>> import torch
        >>> muon = torch.optim.Muon([torch.zeros(8, 2, requires_grad=True)], lr=0.5)
        >>> intended_scale(muon, muon.param_groups[0], (8, 2))
        (1.0, None)
    """
    if "step" in group:
        return None, FOLLOWS_GRADIENT
    if "adjust_lr_fn" not in group:
        return None, UNKNOWN_SCALE
    rate = float(group["lr"])
    match group["adjust_lr_fn"]:
        case None | "original":
            return rate * sqrt(max(1.0, shape[0] / shape[1])), None
        case "match_rms_adamw":
            return rate * 0.2 * sqrt(max(shape)), None
        case _:
            return None, UNKNOWN_SCALE
