"""What an optimizer is set to: its groups as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample

SETTINGS = {
    "lr": ("learning_rate", "η, the step in the direction of the optimizer"),
    "weight_decay": ("weight_decay", "λ, as the optimizer takes it"),
    "momentum": ("momentum", "μ, share of the average that a step keeps"),
    "nesterov": ("nesterov", "1 with Nesterov's momentum, else 0"),
    "ns_steps": ("newton_schulz_steps", "iterations of the polar factor"),
    "eps": ("eps", "ε, added to the denominator"),
    "dampening": ("dampening", "τ, share of the gradient that the average leaves out"),
    "alpha": ("alpha", "share of the average of squares that a step keeps"),
}
"""Entry of a group to (measure, meaning)."""

BETAS = ("beta1", "beta2", "beta3")
"""Measures of the entries of ``betas``."""


@register
class SettingsProbe(Probe):
    """Learning rate, decay, momenta and betas of every parameter group."""

    name = "settings"
    cadence = Cadence.OFTEN
    records = (
        *(
            Quantity(Source.OPTIMIZER, measure, unit="1", formula=meaning)
            for measure, meaning in SETTINGS.values()
        ),
        *(
            Quantity(Source.OPTIMIZER, beta, unit="1", formula=f"β_{beta[-1]}, decay of an average")
            for beta in BETAS
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._index = {id(optimizer): number for number, optimizer in enumerate(scene.optimizers)}
        self._step = 0
        self._records: list[Record] = []

    @classmethod
    def of(cls, scene: Scene) -> Probe:
        """Always: every answer needs them, and they cost nothing."""
        return cls(scene)

    def begin(self, plan: SamplePlan) -> None:
        self._step = plan.step

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        if self.scene.holdings.rank == 0:
            self._records += group_records(optimizer, self._index[id(optimizer)], self._step)

    def detach(self, sample: Sample) -> None:
        sample.records += self._records
        self._records = []


def group_records(optimizer: Optimizer, index: int, step: int) -> Iterator[Record]:
    """Learning rate, weight decay, momenta and betas of each parameter group, one record each."""
    for number, group in enumerate(optimizer.param_groups):
        for measure, value in _settings(group):
            yield Record(step, f"group {index}.{number}", Source.OPTIMIZER, measure, float(value))


def _settings(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, (measure, _) in SETTINGS.items():
        if isinstance(group.get(key), int | float | torch.Tensor):
            yield measure, group[key]
    yield from zip(BETAS, group.get("betas") or (), strict=False)
