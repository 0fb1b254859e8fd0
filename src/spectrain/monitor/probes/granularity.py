"""Gradients as they would be orthogonalized: fused, apart, head by head, expert by expert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Role, Source
from spectrain.matrix import RECORD_RTOL, nuclear_norm, spectrum
from spectrain.monitor.measuring import batches
from spectrain.monitor.plan import Cadence
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample
from spectrain.network import find_blocks

SHARDED = "the parameter is sharded"
UNDEFINED = "zero or not finite"


@register
class GranularityProbe(Probe):
    """Nuclear ranks of fused projections, of heads and of stacked experts.

    ``nuclear_rank_fused`` is ‖G‖_*²/‖G‖_F² of the whole parameter, where blocks are its rows or the
    experts of a stack, which are put below each other. ``nuclear_rank_heads`` is
    Σ_h‖G_h‖_*²/‖G‖_F² over the heads h of a block. Only cuts along rows count:
    :mod:`spectrain.descent.granularity` says how they compare.
    """

    name = "granularity"
    records = (
        Quantity(
            Source.GRADIENT,
            "nuclear_rank_fused",
            unit="1",
            formula="‖G‖_*²/‖G‖_F² of the whole parameter, of which the block is a part",
        ),
        Quantity(
            Source.GRADIENT,
            "nuclear_rank_heads",
            unit="1",
            formula="Σ_h‖G_h‖_*²/‖G‖_F² over the heads h of the block",
        ),
    )
    cadence = Cadence.RARELY
    beside = Source.GRADIENT

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        by_parameter = _by_parameter(scene.blocks)
        heads = find_blocks(scene.model, heads=True).blocks
        self._fused = {name: own for name, own in by_parameter.items() if _is_fused(own)}
        self._heads = _heads_of(by_parameter, _by_parameter(heads))
        self._values: list[tuple[str, str, Tensor]] = []
        self._cut: list[tuple[str, str]] = []

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """None where there is nothing to compare."""
        probe = super().of(scene)
        apart = isinstance(probe, GranularityProbe) and (probe._fused or probe._heads)
        return probe if apart else None

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        holdings, parameters = self.scene.holdings, self.scene.parameters
        stacks: dict[tuple[str, str], Tensor] = {}
        for block in filter(holdings.owns, blocks):
            gradient = parameters[block.parameter].grad
            if gradient is None or gradient.is_sparse:
                continue
            if not holdings.whole(block):
                if block.parameter in self._fused:
                    self._cut.append((block.name, "nuclear_rank_fused"))
                if block.name in self._heads:
                    self._cut.append((block.name, "nuclear_rank_heads"))
                continue
            gradient = holdings.gradient(parameters[block.parameter])
            if gradient is None:
                continue
            if block.parameter in self._fused:
                own = [part.view.of(gradient) for part in self._fused[block.parameter]]
                stacks[block.name, "nuclear_rank_fused"] = torch.cat(own).unsqueeze(0)
            if block.name in self._heads:
                parts = [head.view.of(gradient) for head in self._heads[block.name]]
                stacks[block.name, "nuclear_rank_heads"] = torch.stack(parts)
        self._values += _nuclear_ranks(stacks)

    def detach(self, sample: Sample) -> None:
        for block, measure, value in self._values:
            sample.number(block, Source.GRADIENT, measure, value, undefined=UNDEFINED)
        for block, measure in self._cut:
            sample.missing(block, Source.GRADIENT, measure, SHARDED)
        self._values, self._cut = [], []


def _nuclear_ranks(
    stacks: Mapping[tuple[str, str], Tensor],
) -> Iterator[tuple[str, str, Tensor]]:
    """Σ‖G_i‖_*²/Σ‖G_i‖_F² of each stack of G_i, by block and measure; NaN of zero gradients."""
    for names in batches(stacks):
        parts = torch.stack([stacks[name] for name in names])
        nuclear = nuclear_norm(spectrum(parts, rtol=RECORD_RTOL)).square().sum(-1)
        energy = parts.double().square().sum((-3, -2, -1))
        for name, value in zip(names, nuclear / energy, strict=True):
            yield *name, value


def _by_parameter(blocks: Iterable[Block]) -> dict[str, list[Block]]:
    by_parameter: dict[str, list[Block]] = defaultdict(list)
    for block in blocks:
        by_parameter[block.parameter].append(block)
    return by_parameter


def _is_fused(blocks: Sequence[Block]) -> bool:
    by_rows = all(_by_rows(block) for block in blocks)
    return len(blocks) > 1 and (by_rows or all(b.role.kind == Role.EXPERT.kind for b in blocks))


def _by_rows(block: Block) -> bool:
    view = block.view
    return bool(view.rows) and not view.columns and view.index is None and not view.transpose


def _heads_of(
    whole: Mapping[str, Sequence[Block]], parts: Mapping[str, Sequence[Block]]
) -> dict[str, list[Block]]:
    """The heads of every block that was cut into equal ranges of rows, by the block's name."""
    by_block = {}
    for parameter, blocks in whole.items():
        for block in blocks:
            heads = [
                part
                for part in parts.get(parameter, ())
                if part.role is block.role and part.name != block.name and _by_rows(part)
            ]
            equal = len({head.shape for head in heads}) == 1
            if len(heads) > 1 and equal and sum(h.shape[0] for h in heads) == block.shape[0]:
                by_block[block.name] = heads
    return by_block
