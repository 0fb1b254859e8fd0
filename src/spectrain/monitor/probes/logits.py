"""How large attention logits can get by the weights, head by head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import Block, Quantity, Record, Source
from spectrain.matrix import REASONS, SpectrumStatus
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import NOT_FINITE, Sample, on_host
from spectrain.network import find_blocks
from spectrain.network.query_key import QueryKey, pair_queries
from spectrain.network.wrapping import modules_of
from spectrain.stability import logit_bound

MEASURE = "logit_bound"
CONTENT = "of the content alone: the part that carries positions meets another matrix"


@register
class LogitsProbe(Probe):
    """σ_max(W_qᵀW_k)/√d of each head, in rows of the block that makes its queries.

    Grouped queries meet the key of their group. The keys of sharded parameters are put together in
    the process that records the queries.
    """

    name = "logits"
    cadence = Cadence.SELDOM
    records = (
        Quantity(
            Source.WEIGHT,
            MEASURE,
            unit="1/(unit of x)²",
            formula="σ_max(W_qᵀW_k)/√d, the largest logit of inputs of norm 1",
            citation="Dehghani et al. 2023, arXiv:2302.05442, §2",
            index="head of the block",
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        parted = find_blocks(scene.model, heads=True).blocks
        self._pairs = pair_queries(scene.blocks, parted, modules_of(scene.model))
        self._found: list[tuple[QueryKey, Tensor]] = []
        self._turn: frozenset[str] = frozenset()

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """None where there is no attention."""
        probe = super().of(scene)
        return probe if isinstance(probe, LogitsProbe) and probe._pairs else None

    def begin(self, plan: SamplePlan) -> None:
        self._turn = plan.turn(self.cadence)

    def after_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        here = {block.name for block in blocks}
        pairs = [p for p in self._pairs if p.reason is None and p.queries[0].name in here]
        holdings, parameters = self.scene.holdings, self.scene.parameters
        parts: dict[Block, Tensor | None] = {}
        at: dict[Block, int] = {}
        for pair in pairs:
            for block in (*pair.queries, *pair.keys):
                parts[block] = holdings.local(parameters[block.parameter])
                at[block] = holdings.owner(pair.queries[0])
        whole = holdings.gathered(parts, at)
        for pair in pairs:
            if holdings.owns(pair.queries[0]):
                self._found.append((pair, _bounds(pair, whole)))

    def detach(self, sample: Sample) -> None:
        for pair in self._pairs:
            block = pair.queries[0]
            owned = block.name in self._turn and self.scene.holdings.owns(block)
            if pair.reason is not None and owned:
                sample.missing(block, Source.WEIGHT, MEASURE, pair.reason)
        sample.readings.append(LogitsReading(tuple(self._found)))
        self._found = []


@dataclass(frozen=True, slots=True)
class LogitsReading:
    """Bounds of heads, on their devices."""

    found: Sequence[tuple[QueryKey, Tensor]]

    def rows(self, step: int, batch_size: int | None) -> Iterator[Record]:
        """One a head."""
        values = iter(on_host([bound for _, bounds in self.found for bound in bounds]))
        for pair, bounds in self.found:
            for head in range(len(bounds)):
                yield _row(step, pair, head, next(values))


def _bounds(pair: QueryKey, whole: Mapping[Block, Tensor]) -> Tensor:
    queries = torch.cat([whole[block] for block in pair.queries]).unflatten(0, (pair.heads, -1))
    keys = torch.cat([whole[block] for block in pair.keys]).unflatten(0, (pair.groups, -1))
    scale = (queries.shape[1] / pair.content) ** 0.5  # the root is that of the whole head
    return logit_bound(queries[:, : pair.content], keys) / scale


def _row(step: int, pair: QueryKey, head: int, value: float) -> Record:
    block, index = pair.owner(head)
    reason = CONTENT if pair.latent else None
    known: float | None = value
    if value != value:
        known, reason = None, NOT_FINITE
    elif not value:
        reason = REASONS[SpectrumStatus.ZERO]
    return Record(step, block.name, Source.WEIGHT, MEASURE, known, reason=reason, index=index)
