"""The largest attention logit of each head that was seen, beside the bound from the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spectrain.core import Quantity, Record, Source
from spectrain.monitor.multi_head import largest_of_call
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import NOT_FINITE, Sample, on_host
from spectrain.monitor.scores import ScoresMode, fuses, largest_by_head
from spectrain.monitor.taps import compiled_names
from spectrain.network import find_blocks
from spectrain.network.names import parent_of
from spectrain.network.query_key import QueryKey, pair_queries
from spectrain.network.wrapping import modules_of

MEASURE = "max_logit"
IS_FUSED = "attention is fused and does not form its logits: see weight/logit_bound"
IS_COMPILED = "attention is compiled and its logits lie in the graph: see weight/logit_bound"
NONE_SEEN = "no softmax over the scores of its heads was seen"


@register
class ScoresProbe(Probe):
    """Largest entry of what the softmax of each head receives, masked and scaled as it is.

    While eager attention computes a sampled step, calls of softmax are observed and passed on
    unchanged. That of ``nn.MultiheadAttention`` cannot be observed: its scores are formed once more
    from what it is given. Fused and compiled attention are left alone from the start, or once they
    are recognised: then the bound of :class:`~spectrain.monitor.probes.logits.LogitsProbe` stands
    alone.
    """

    name = "scores"
    cadence = Cadence.SELDOM
    records = (
        Quantity(
            Source.INPUT,
            MEASURE,
            unit="1",
            formula="max over batch, queries and keys of what a head's softmax receives",
            citation="Wortsman et al. 2023, arXiv:2309.14322, §3.1",
            index="head of the block",
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        modules = modules_of(scene.model)
        parted = find_blocks(scene.model, heads=True).blocks
        pairs = pair_queries(scene.blocks, parted, modules)
        compiled = compiled_names(scene.model)
        self._read: dict[str, tuple[QueryKey, nn.Module]] = {}
        self._left: dict[str, str] = {}
        self._pairs: dict[str, QueryKey] = {}
        for pair in pairs:
            home = parent_of(pair.queries[0].parameter)
            self._pairs[home] = pair
            if home in compiled:
                self._left[home] = IS_COMPILED
            elif home not in modules or fuses(modules[home]):
                self._left[home] = IS_FUSED if home in modules else NONE_SEEN
            else:
                self._read[home] = pair, modules[home]
        self._found: dict[str, Tensor] = {}
        self._turn: frozenset[str] = frozenset()
        self._handles: list[RemovableHandle] = []
        self._within: list[tuple[nn.Module, ScoresMode]] = []

    @classmethod
    def of(cls, scene: Scene) -> Probe | None:
        """None where there is no attention."""
        probe = super().of(scene)
        return probe if isinstance(probe, ScoresProbe) and probe._pairs else None

    def begin(self, plan: SamplePlan) -> None:
        self._turn = plan.turn(self.cadence)
        self._found = {}
        for home, (pair, module) in self._read.items():
            if pair.queries[0].name in self._turn and home not in self._left:
                enter, leave = partial(self._enter, home, pair), self._leave
                self._handles.append(module.register_forward_pre_hook(enter))
                self._handles.append(module.register_forward_hook(leave, always_call=True))

    def _enter(self, home: str, pair: QueryKey, module: nn.Module, args: Any) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        if self.name not in self.scene.guard.disabled and home not in self._left:
            mode = ScoresMode(
                partial(self._see, home, pair),
                partial(self._fused, home),
                partial(self._see_call, home, pair),
            )
            mode.begin()
            self._within.append((module, mode))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._within and self._within[-1][0] is module:
            self._within.pop()[1].end()

    def _see(self, home: str, pair: QueryKey, scores: Tensor) -> None:
        with self.scene.guard(self.name):
            self._keep(home, pair, largest_by_head(scores, pair.heads))

    def _see_call(
        self, home: str, pair: QueryKey, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        with self.scene.guard(self.name):
            self._keep(home, pair, largest_of_call(args, kwargs))

    def _keep(self, home: str, pair: QueryKey, largest: Tensor | None) -> None:
        if largest is not None and len(largest) % len(pair.queries) == 0:
            known = self._found.get(home)
            self._found[home] = largest if known is None else torch.maximum(known, largest)

    def _fused(self, home: str) -> None:
        self._left[home] = IS_FUSED

    def detach(self, sample: Sample) -> None:
        self._rest()
        holdings = self.scene.holdings
        due = {home: p for home, p in self._pairs.items() if p.queries[0].name in self._turn}
        counts = holdings.slowest(
            [float(len(self._found[h])) if h in self._found else 0.0 for h in due]
        )
        flat = iter(on_host([one for home in due for one in self._found.get(home, ())]))
        own = [
            next(flat) if home in self._found else -inf
            for home, count in zip(due, counts, strict=True)
            for _ in range(int(count))
        ]
        values = iter(holdings.slowest([inf if one != one else one for one in own]))
        for (home, pair), count in zip(due.items(), counts, strict=True):
            largest = [next(values) for _ in range(int(count))]
            if not holdings.owns(pair.queries[0]):
                continue
            if largest:
                sample.records += _rows(sample.step, pair, largest)
            else:
                why = self._left.get(home, NONE_SEEN)
                sample.missing(pair.queries[0], Source.INPUT, MEASURE, why)
        self._found = {}

    def close(self) -> None:
        self._rest()

    def _rest(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _rows(step: int, pair: QueryKey, largest: Sequence[float]) -> list[Record]:
    each = len(largest) // len(pair.queries)
    rows = []
    for head, value in enumerate(largest):
        known, reason = (value, None) if isfinite(value) else (None, NOT_FINITE)
        block, index = pair.queries[head // each].name, head % each + 1
        rows.append(Record(step, block, Source.INPUT, MEASURE, known, reason=reason, index=index))
    return rows
