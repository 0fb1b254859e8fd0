"""The moment at which something ceases to be finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.core.torch_private import foreach_norms
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample, on_host
from spectrain.records import NOT_FINITE

Largest = Mapping[str, Tensor]
"""Largest absolute entry of what lies here, or a norm that is not less, by parameter."""


@register
class NotFiniteProbe(Probe):
    """Parameters whose gradient or weights hold a NaN or an infinity: rows where there are any.

    A step that a gradient scaler is about to skip, because its scale was too large, does not count.
    """

    name = "not_finite"
    records = tuple(
        Quantity(source, NOT_FINITE, unit="1", formula="1 where an entry is NaN or ±∞")
        for source in (Source.GRADIENT, Source.WEIGHT)
    )
    cadence = Cadence.OFTEN

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._names = {id(parameter): name for name, parameter in scene.parameters.items()}
        self._found: list[tuple[Source, Largest]] = []

    @classmethod
    def of(cls, scene: Scene) -> Probe:
        """Always: it is cheap, and nothing else means anything afterwards."""
        return cls(scene)

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        undone = getattr(optimizer, "found_inf", None)
        if undone is None or not float(undone):
            tensors = {
                name: gradient
                for name in self._of(optimizer)
                if (gradient := self.scene.holdings.gradient(self.scene.parameters[name]))
                is not None
            }
            self._found.append((Source.GRADIENT, _largest(tensors)))

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        parameters, holdings = self.scene.parameters, self.scene.holdings
        tensors = {name: holdings.local(parameters[name]) for name in self._of(optimizer)}
        self._found.append((Source.WEIGHT, _largest(tensors)))

    def _of(self, optimizer: Optimizer) -> list[str]:
        trained = (p for group in optimizer.param_groups for p in group["params"])
        return [self._names[id(p)] for p in trained if id(p) in self._names]

    def detach(self, sample: Sample) -> None:
        sample.readings.append(NotFiniteReading(tuple(self._found)))
        self._found = []


@dataclass(frozen=True, slots=True)
class NotFiniteReading:
    """Largest entries of gradients and weights, on their devices."""

    found: Sequence[tuple[Source, Largest]]

    def rows(self, step: int, batch_size: int | None) -> Iterator[Record]:
        """A row for each parameter that is not finite."""
        names = [(source, name) for source, largest in self.found for name in largest]
        values = on_host([value for _, largest in self.found for value in largest.values()])
        for (source, name), value in zip(names, values, strict=True):
            if not isfinite(value):
                yield Record(step, name, source, NOT_FINITE, 1.0)


def _largest(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """max|x| of each: unlike a norm of order 2 it cannot overflow, and NaN stays NaN.

    On a CPU, where nothing has to be waited for, that is taken only of tensors whose norm is not
    finite: there torch 2.13 finds the norm of order 2 twenty times as fast.
    """
    chosen = {
        name: tensor
        for name, tensor in tensors.items()
        if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex())
    }
    if not chosen:
        return {}
    at_hand = all(tensor.device.type == "cpu" for tensor in chosen.values())
    norms = foreach_norms(list(chosen.values()), 2 if at_hand else inf)
    if at_hand and not bool(torch.stack([norm.double() for norm in norms]).isfinite().all()):
        norms = foreach_norms(list(chosen.values()), inf)
    return dict(zip(chosen, norms, strict=True))
