"""Norms of gradients and weights where their spectra are not read: one pass over memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Source, quantities_of
from spectrain.matrix import MEASURES, REASONS, SpectrumStatus
from spectrain.monitor.holdings import square_sums
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample

SPECTRA = {Source.GRADIENT: Cadence.SOMETIMES, Source.WEIGHT: Cadence.RARELY}
"""The cadence at which the spectrum of each is read, with the norm in it."""


@register
class NormsProbe(Probe):
    """Frobenius norms of gradients and weights, more often than their spectra.

    A block whose spectrum is read in the same step has its norm from there. Of sharded parameters
    the sums over the shards are added up.
    """

    name = "norms"
    records = tuple(
        quantity
        for quantity in quantities_of(MEASURES, *SPECTRA)
        if quantity.measure == "frobenius_norm"
    )
    cadence = Cadence.OFTEN

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._wanted = [s for s in SPECTRA if "frobenius_norm" in scene.spectral(s)]
        self._squares: dict[Source, dict[Block, Tensor]] = {source: {} for source in SPECTRA}
        self._elsewhere: dict[Source, frozenset[str]] = {}

    def begin(self, plan: SamplePlan) -> None:
        self._elsewhere = {source: plan.turn(cadence) for source, cadence in SPECTRA.items()}

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        gradients = {
            block: gradient
            for block in self._own(Source.GRADIENT, blocks)
            if (gradient := self.scene.gradient(block, optimizer)) is not None
            and not gradient.is_sparse
        }
        self._add(Source.GRADIENT, gradients)

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        own = self._own(Source.WEIGHT, blocks)
        self._add(Source.WEIGHT, {block: self.scene.weight(block) for block in own})

    def _add(self, source: Source, matrices: Mapping[Block, Tensor]) -> None:
        sums = square_sums(list(matrices.values()))
        self._squares[source] |= dict(zip(matrices, sums, strict=True))

    def _own(self, source: Source, blocks: Sequence[Block]) -> list[Block]:
        if source not in self._wanted:
            return []
        elsewhere = self._elsewhere.get(source, frozenset())
        reads = self.scene.holdings.reads(blocks)
        return [block for block in reads if block.name not in elsewhere]

    def detach(self, sample: Sample) -> None:
        for source, squares in self._squares.items():
            for block, norm in self.scene.holdings.norms(squares).items():
                sample.number(
                    block,
                    source,
                    "frobenius_norm",
                    norm,
                    of_batch=source is Source.GRADIENT,
                    zero=REASONS[SpectrumStatus.ZERO],
                )
            squares.clear()
