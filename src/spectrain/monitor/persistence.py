"""Persistence of gradients and updates, read out of the optimizer's own memory of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Muon, Optimizer

from spectrain.core import Block, Record, Source
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.probes import Probe
from spectrain.monitor.sample import Sample
from spectrain.regime.measures import persistent_energy, successive_cosine


@dataclass(frozen=True, slots=True)
class _Reading:
    block: Block
    source: Source
    measure: str
    value: Tensor
    error: Tensor | None = None


class PersistenceProbe(Probe):
    """Share of the gradients' energy that momentum foretells, and alignment of updates.

    Before its step an optimizer holds an average of the earlier gradients alone, so no second
    backward pass and no memory of the monitor's own are needed. Adam's previous update follows from
    its state likewise. Other optimizers, and parameters that are sharded, leave no records.
    """

    name = "persistence"

    def __init__(self, parameters: Mapping[str, nn.Parameter], holdings: Holdings) -> None:
        self._parameters = parameters
        self._holdings = holdings
        self._previous: dict[Block, Tensor] = {}
        self._readings: list[_Reading] = []
        self._full = True

    def attach(self, *, full: bool) -> None:
        self._full = full

    def before_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        scale = getattr(optimizer, "grad_scale", None)
        for block in filter(self._holdings.owns, blocks):
            parameter = self._parameters[block.parameter]
            state, gradient = optimizer.state.get(parameter, {}), parameter.grad
            if gradient is None or gradient.is_sparse or not self._holdings.whole(block):
                continue
            average = _average(optimizer, groups[id(parameter)], state)
            gradient = self._holdings.gradient(parameter)
            if average is None or gradient is None:
                continue
            average = self._holdings.local(average)
            g, m = block.view.of(gradient).double(), block.view.of(average).double()
            g = g if scale is None else g / scale
            size = torch.linalg.vector_norm(m) / torch.linalg.vector_norm(g)
            self._readings.append(
                _Reading(
                    block,
                    Source.GRADIENT,
                    persistent_energy.__name__,
                    persistent_energy(g, m),
                    size / sqrt(g.numel()),
                )
            )
            direction = _adam_direction(groups[id(parameter)], state) if self._full else None
            if direction is not None:
                self._previous[block] = block.view.of(self._holdings.local(direction))

    def after_step(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for block in blocks:
            previous = self._previous.pop(block, None)
            if previous is None:
                continue
            parameter = self._parameters[block.parameter]
            current = _adam_direction(groups[id(parameter)], optimizer.state[parameter])
            if current is not None:
                current = block.view.of(self._holdings.local(current))
                cosine = successive_cosine(previous, current)
                name = successive_cosine.__name__
                self._readings.append(_Reading(block, Source.DIRECTION, name, cosine))

    def detach(self, sample: Sample) -> None:
        zero = "the gradient, its average or the update is zero or not finite"
        for reading in self._readings:
            value = float(reading.value)
            error = None if reading.error is None else float(reading.error)
            missing = value != value or error != error or error == float("inf")
            sample.records.append(
                Record(
                    sample.step,
                    reading.block.name,
                    reading.source,
                    reading.measure,
                    None if missing else value,
                    None if missing else error,
                    reason=zero if missing else None,
                )
            )
        self._readings, self._previous = [], {}


def _average(
    optimizer: Optimizer, group: Mapping[str, Any], state: Mapping[str, Any]
) -> Tensor | None:
    """The average of earlier gradients, its weights adding up to 1; ``None`` where there is none.

    Muon does not count its steps: its average is corrected by none, which ends to matter after a
    few times 1/(1 − μ) steps.
    """
    if "exp_avg" in state and "step" in state and group.get("betas"):
        correction = 1 - float(group["betas"][0]) ** float(state["step"])
        return state["exp_avg"] / correction if correction > 0 else None
    if isinstance(optimizer, Muon) and isinstance(state.get("momentum_buffer"), Tensor):
        return state["momentum_buffer"]
    return None


def _adam_direction(group: Mapping[str, Any], state: Mapping[str, Any]) -> Tensor | None:
    """The direction of Adam's last update, m̂/(√v̂ + ε) up to a factor, in float64."""
    if not {"exp_avg", "exp_avg_sq", "step"} <= state.keys() or group.get("amsgrad"):
        return None
    correction = 1 - float(group["betas"][1]) ** float(state["step"])
    if correction <= 0:
        return None
    scale = (state["exp_avg_sq"].double() / correction).sqrt() + float(group["eps"])
    return state["exp_avg"].double() / scale
