"""Spectra of the gradients."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Source, quantities_of
from spectrain.matrix import MEASURES
from spectrain.monitor.measuring import Measured
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample

PARTIAL = "unsupported layout: the gradient is a partial sum over processes"


@register
class GradientProbe(Probe):
    """Spectra of the gradients that the optimizer is about to use."""

    name = "gradient"
    records = quantities_of(MEASURES, Source.GRADIENT)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._measured: list[Measured] = []
        self._partial: list[Block] = []

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        scale = getattr(optimizer, "grad_scale", None)
        gradients: dict[str, Tensor | None] = {}
        for name in dict.fromkeys(block.parameter for block in blocks):
            gradient = holdings.gradient(parameters[name])
            gradients[name] = gradient if scale is None or gradient is None else gradient / scale
        parts = {block: gradients[block.parameter] for block in holdings.reads(blocks)}
        names = self.scene.spectral(Source.GRADIENT)
        self._measured += holdings.measure(parts, Source.GRADIENT, names)
        self._partial += [
            block
            for block in filter(holdings.owns, blocks)
            if holdings.partial(parameters[block.parameter])
        ]

    def detach(self, sample: Sample) -> None:
        sample.measured += self._measured
        for block in self._partial:
            sample.missing(block, Source.GRADIENT, "frobenius_norm", PARTIAL)
        self._measured, self._partial = [], []
