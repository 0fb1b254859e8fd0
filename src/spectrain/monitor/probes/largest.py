"""The largest singular value of the weights between their spectra, followed from the last sample.

A spectrum of the weights is expensive and rarely read; dangerous growth shows in the largest value
alone, which a few products with two vectors give.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar
from zlib import crc32

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Source, quantities_of
from spectrain.matrix import MEASURES, REASONS, SpectrumStatus
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample
from spectrain.stability.largest import FIRST_POWERS, POWERS, Followed, first_frame, follow_largest


@register
class LargestProbe(Probe):
    """‖W‖_op by a warm-started block Krylov method, with the error that its residual bounds.

    A block whose spectrum is read in the same step has it from there. Of sharded parameters the
    products are summed over the shards.

    Attributes:
        measure: under which the value is recorded.
    """

    name = "largest"
    cadence = Cadence.SELDOM
    measure: ClassVar[str] = "operator_norm"
    records = tuple(
        quantity
        for quantity in quantities_of(MEASURES, Source.WEIGHT)
        if quantity.measure == "operator_norm"
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._elsewhere: frozenset[str] = frozenset()
        self._frames: dict[Block, Tensor] = {}
        self._fresh: set[Block] = set()
        self._found: dict[Block, Followed] = {}

    def begin(self, plan: SamplePlan) -> None:
        spectral = self.measure in self.scene.spectral(Source.WEIGHT)
        self._elsewhere = plan.turn(Cadence.RARELY) if spectral else frozenset()

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        followed = [
            block
            for block in blocks
            if not block.view.diagonal
            and block.name not in self._elsewhere
            and holdings.follows(block)
        ]
        parts = {block: holdings.local(parameters[block.parameter]) for block in followed}
        for block, part in parts.items():
            if block not in self._frames:
                self._frames[block] = _start(block, part)
                self._fresh.add(block)
        for powers, fresh in ((FIRST_POWERS, True), (POWERS, False)):
            chosen = {b: part for b, part in parts.items() if (b in self._fresh) is fresh}
            self._follow(chosen, powers)
        self._fresh.clear()

    def _follow(self, parts: Mapping[Block, Tensor], powers: int) -> None:
        """All together: several processes have to multiply the same blocks at the same time."""
        if not parts:
            return
        groups: dict[tuple[torch.Size, torch.dtype, torch.device], list[Block]] = defaultdict(list)
        for block in parts:
            frame = self._frames[block]
            groups[frame.shape, frame.dtype, frame.device].append(block)
        for _, blocks in sorted(groups.items(), key=lambda group: str(group[0])):
            own = {block: parts[block] for block in blocks}

            def product(frames: Tensor, own: Mapping[Block, Tensor] = own) -> Tensor:
                columns = dict(zip(own, frames.unbind(), strict=True))
                images = self.scene.holdings.gram_products(own, columns)
                return torch.stack([images[block] for block in own])

            start = torch.stack([self._frames[block] for block in blocks])
            followed = follow_largest(product, start, powers=powers)
            for place, block in enumerate(blocks):
                one = Followed(followed.value[place], followed.error[place], followed.frame[place])
                self._frames[block], self._found[block] = one.frame, one

    def detach(self, sample: Sample) -> None:
        for block, one in self._found.items():
            if self.scene.holdings.owns(block):
                sample.number(
                    block,
                    Source.WEIGHT,
                    self.measure,
                    one.value,
                    error=one.error,
                    zero=REASONS[SpectrumStatus.ZERO],
                )
        self._found = {}


def _start(block: Block, part: Tensor) -> Tensor:
    """The same vectors on every process, whatever else it follows."""
    generator = torch.Generator().manual_seed(crc32(block.name.encode()))
    dtype = torch.promote_types(part.dtype, torch.float32)
    return first_frame(block.shape[1], generator, dtype=dtype).to(part.device)
