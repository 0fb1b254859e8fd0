"""Spectra of matrices that several parameters make: B·A of adapters, weight-normed weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Combination, Composition, Source, View, quantities_of
from spectrain.matrix import MEASURES, RECORD_RTOL, Spectrum, product_spectrum, spectrum
from spectrain.monitor.measuring import Measured
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample

_SHARDED = "a parameter of it is sharded"


@register
class ComposedProbe(Probe):
    """Spectra of composed matrices after the step, and of their change over it.

    Products are never multiplied out: a change of s·B·A is that of [s·B', −s·B] and [A'; A]. The
    first process records them.
    """

    name = "composed"
    records = quantities_of(MEASURES, Source.WEIGHT, Source.UPDATE)
    cadence = Cadence.RARELY

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        return super().of(scene) if scene.composed and scene.holdings.rank == 0 else None

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._turn: frozenset[str] = frozenset()
        self._before: dict[Block, list[Tensor]] = {}

    def begin(self, plan: SamplePlan) -> None:
        self._turn = plan.turn(self.cadence)

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for block, rule in self._composed():
            parameters = [self.scene.parameters[name] for name in rule.parameters]
            if block not in self._before and not moved.isdisjoint(map(id, parameters)):
                pairs = zip(parameters, self._tensors(rule), strict=True)
                self._before[block] = [t.clone() if p.requires_grad else t for p, t in pairs]

    def detach(self, sample: Sample) -> None:
        for block, rule in self._composed():
            if block not in self._before:
                continue
            before, after = self._before[block], self._tensors(rule)
            whole = [self.scene.parameters[name].shape for name in rule.parameters]
            kept = (old.nbytes for old, new in zip(before, after, strict=True) if old is not new)
            sample.memory_bytes += sum(kept)
            for source in (Source.WEIGHT, Source.UPDATE):
                names = self.scene.spectral(source)
                if [tensor.shape for tensor in after] != whole:
                    sample.missing(block, source, "frobenius_norm", _SHARDED)
                elif names:
                    old = before if source is Source.UPDATE else None
                    spectrum = _spectrum(rule, block.view, after, old)
                    sample.measured.append(Measured((block,), source, names, spectrum))
        self._before = {}

    def _composed(self) -> list[tuple[Block, Composition]]:
        turn = (block for block in self.scene.composed if block.name in self._turn)
        return [(block, block.composition) for block in turn if block.composition is not None]

    def _tensors(self, rule: Composition) -> list[Tensor]:
        """What of the rule's parameters lies here."""
        parameters = (self.scene.parameters[name] for name in rule.parameters)
        return [self.scene.holdings.local(parameter) for parameter in parameters]


def _spectrum(
    rule: Composition, view: View, after: Sequence[Tensor], before: Sequence[Tensor] | None
) -> Spectrum:
    """Of a composed matrix, or of its change, in a batch of one."""
    if rule.rule is not Combination.PRODUCT:
        matrix = rule.of([tensor.double() for tensor in after])
        if before is not None:
            matrix = matrix - rule.of([tensor.double() for tensor in before])
        return spectrum(view.of(matrix).unsqueeze(0), rtol=RECORD_RTOL)
    left, right = (tensor.double().flatten(1) for tensor in after)
    if before is not None:
        old_left, old_right = (tensor.double().flatten(1) for tensor in before)
        left, right = torch.cat([left, -old_left], 1), torch.cat([right, old_right])
    left = View(rows=view.rows).of(rule.scale * left)
    right = View(columns=view.columns).of(right)
    return product_spectrum(left.unsqueeze(0), right.unsqueeze(0))
