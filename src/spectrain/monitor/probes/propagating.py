"""The coordinate check's other half: how far the change of a matrix's input moves its output."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim import Optimizer

from spectrain.core import QUANTITIES, Block, Feed, Quantity, Record, Role, Source, Tap
from spectrain.monitor.plan import Cadence, SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene
from spectrain.monitor.replay import COLUMNS, Replay
from spectrain.monitor.sample import NOT_FINITE, Sample, on_host
from spectrain.network.taps import activation
from spectrain.network.wrapping import modules_of
from spectrain.stability import propagating_gain, propagating_sums
from spectrain.stability.propagation import SUMS

MEASURE = "propagating_gain"
ROUNDED = "its input is in {}: rounding would pass for a change"
ROUTED = "other columns came to it after the step than before"
ELSEWHERE = "the module that its input feeds does not hold its weight"
UNREACHED = "it was not reached by the forward passes before the first optimizer stepped"

TAPS = {Tap.INPUT, Tap.UNFOLDED}


class PropagatingProbe(Probe):
    """‖W Δx‖_rms/‖x‖_rms, Δx what the step changed of a block's input on the step's own batch.

    A few examples are run through the model once before and once after the step: their forward
    pass is the user's code, and so this probe is not registered. It reads where it is asked for,
    ``watch(..., probes=[PropagatingProbe])``. See :class:`~spectrain.monitor.replay.Replay` for
    what a run leaves untouched.
    """

    name = "propagating"
    cadence = Cadence.RARELY
    records = QUANTITIES.add(
        (
            Quantity(
                Source.UPDATE,
                MEASURE,
                unit="1",
                formula="‖W Δx‖_rms / ‖x‖_rms, Δx the change of the input x over the step",
                citation="Haas et al. 2025, arXiv:2505.22491; arXiv:2310.17813, §3",
            ),
        )
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._modules = modules_of(scene.model)
        self._replay = Replay(scene.model, partial(scene.guard, self.name))
        self._turn: list[Block] = []
        self._before: Columns | None = None
        self._reason: str | None = None

    def begin(self, plan: SamplePlan) -> None:
        names = plan.turn(self.cadence)
        self._turn = [
            block
            for block in self.scene.blocks
            if block.name in names
            and not block.view.diagonal
            and block.literal_input is not None
            and block.literal_input.tap in TAPS
            and block.role.kind != Role.EXPERT  # its router may send it others after the step
        ]
        self._before, self._reason = None, None
        self._replay.listen()

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        if self._before is not None or self._reason is not None or not self._turn:
            return
        self._replay.rest()
        mine = self._replay.reason
        if any(self.scene.holdings.slowest([float(mine is not None)])):
            self._reason = mine or "nothing can be replayed on another process"
            return
        self._before = defaultdict(list)
        self._run(lambda module, feed, columns: self._before_columns(feed, columns))

    def detach(self, sample: Sample) -> None:
        sums_by_block: dict[Block, Tensor] = {}
        why: dict[Block, str] = {}
        if self._before is not None:
            places: dict[Feed, int] = defaultdict(int)
            self._run(partial(self._after_columns, sums_by_block, why, places))
        for block in self._turn:
            if block not in sums_by_block:
                why.setdefault(block, self._reason or UNREACHED)
        holdings = self.scene.holdings
        sums = holdings.sums({b: s for b, s in sums_by_block.items() if b not in why}, SUMS)
        for block in filter(holdings.owns, self._turn):
            if block not in sums:
                sample.missing(block, Source.UPDATE, MEASURE, why.get(block, ROUTED))
        sample.readings.append(
            PropagatingReading([(b, s, *propagating_gain(s, b.shape)) for b, s in sums.items()])
        )
        self._before = None
        self._replay.forget()

    def close(self) -> None:
        self._replay.forget()

    def _run(self, see: Callable[[nn.Module, Feed, Tensor | None], None]) -> None:
        """A replay that passes on every feed's columns; ``None`` where another process has them."""
        feeds: dict[str, list[Feed]] = defaultdict(list)
        for feed in dict.fromkeys(b.literal_input for b in self._turn if b.literal_input):
            for name in feed.modules:
                feeds[name].append(feed)

        def read(
            module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], own: list[Feed]
        ) -> None:
            bound = inspect.signature(module.forward).bind(*args, **kwargs).args if kwargs else args
            for feed in own:
                see(module, feed, self._columns(feed, module, bound))

        handles = [
            self._modules[name].register_forward_pre_hook(
                partial(_read_own, read, own), with_kwargs=True
            )
            for name, own in feeds.items()
        ]
        try:
            self._replay.run()
        finally:
            for handle in handles:
                handle.remove()

    def _columns(self, feed: Feed, module: nn.Module, arguments: tuple[Any, ...]) -> Tensor | None:
        source = arguments[feed.argument]
        source = source.data if isinstance(source, PackedSequence) else source
        seen, counts = self.scene.holdings.seen(source)
        if not counts:
            return None
        place = feed.argument
        bound = (*arguments[:place], seen, *arguments[place + 1 :])
        columns = activation(feed, module, bound)
        return columns[:: -(-len(columns) // COLUMNS) or 1].clone()

    def _before_columns(self, feed: Feed, columns: Tensor | None) -> None:
        assert self._before is not None
        self._before[feed].append(columns)

    def _after_columns(
        self,
        sums_by_block: dict[Block, Tensor],
        why: dict[Block, str],
        places: dict[Feed, int],
        module: nn.Module,
        feed: Feed,
        after: Tensor | None,
    ) -> None:
        assert self._before is not None
        known, place = self._before.get(feed, []), places[feed]
        places[feed] += 1
        before = known[place] if place < len(known) else None
        for block in self._turn:
            if block.literal_input != feed:
                continue
            weight = self._weight(block, module)
            if weight is None:
                why[block] = ELSEWHERE
            elif after is None:
                sums_by_block.setdefault(block, torch.zeros(SUMS, dtype=torch.float64))
            elif after.dtype.itemsize < 4:
                why[block] = ROUNDED.format(str(after.dtype).removeprefix("torch."))
            elif before is None or before.shape != after.shape:
                why[block] = ROUTED
            else:
                matrix = block.view.of(weight).to(after.dtype)
                sums = propagating_sums(matrix, after - before, before)
                sums_by_block[block] = (
                    sums_by_block[block] + sums if block in sums_by_block else sums
                )

    def _weight(self, block: Block, module: nn.Module) -> Tensor | None:
        """The block's parameter as the forward pass has it: sharded ones are gathered here."""
        for address in (block.parameter, *block.aliases):
            parent, _, leaf = address.rpartition(".")
            if self._modules.get(parent) is module:
                weight: Any = getattr(module, leaf).detach()
                whole = getattr(weight, "full_tensor", None)
                return weight if whole is None else whole()
        return None


Columns = dict[Feed, list[Tensor | None]]
"""Of each feed the columns of its successive forward passes."""


def _read_own(
    read: Callable[[nn.Module, tuple[Any, ...], dict[str, Any], list[Feed]], None],
    own: list[Feed],
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    read(module, args, kwargs, own)


@dataclass(frozen=True, slots=True)
class PropagatingReading:
    """Sums, gains and their errors on their devices."""

    gains: Sequence[tuple[Block, Tensor, Tensor, Tensor]]

    def rows(self, step: int, batch_size: int | None) -> Iterator[Record]:
        """One a block."""
        counts = on_host([sums[0] for _, sums, _, _ in self.gains])
        values = on_host([gain for _, _, gain, _ in self.gains])
        errors = on_host([error for _, _, _, error in self.gains])
        for (block, *_), count, value, error in zip(
            self.gains, counts, values, errors, strict=True
        ):
            row = Record(step, block.name, Source.UPDATE, MEASURE, None, count=int(count))
            if isfinite(value):
                yield replace(row, value=value, error=error if isfinite(error) else None)
            else:
                yield replace(row, reason=NOT_FINITE)
