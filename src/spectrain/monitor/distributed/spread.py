"""A model that is spread over processes: replicated (DDP), sharded (FSDP2), cut (DTensor)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate

from spectrain.core import QUANTITIES, Block, InputError, Quantity, Record, Source
from spectrain.monitor.activations import ActivationStore
from spectrain.monitor.distributed.layout import Piece, bounds_of, find_layouts, local, piece_of
from spectrain.monitor.distributed.moments import merge_moments
from spectrain.monitor.distributed.products import gather_pieces, sum_gram_products
from spectrain.monitor.distributed.shares import share_out
from spectrain.monitor.distributed.spectra import Held, measure_together
from spectrain.monitor.distributed.team import Team, Traffic
from spectrain.monitor.guard import Guard
from spectrain.monitor.holdings import Holdings, Parts
from spectrain.monitor.measuring import Measured, measure_blocks

TRAFFIC = QUANTITIES.add(
    [Quantity(Source.MONITOR, "traffic_bytes", "bytes", "what a process sent to watch the step")]
)
"""What processes together record of themselves."""


class Spread(Holdings):
    """One process's view of a model that several hold together.

    The blocks are shared out: each is finished and recorded by one process. Making this object is
    a collective call, and so are all methods that measure: every process makes them in the same
    order, at the same step.

    Args:
        parameters: by name.
        blocks: candidates, the same on every process; those whose layout is not supported are in
            :attr:`refused`, with the reason.
        data_parallel: number of processes that see different data.
        contributes: whether this process's plain activations count; of a tensor-parallel group,
            whose members see the same, only one's do.
    """

    sketches = False

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        blocks: Sequence[Block],
        *,
        data_parallel: int,
        contributes: bool,
    ) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.data_parallel, self.contributes = data_parallel, contributes
        self.traffic = Traffic()
        self.refused: dict[Block, str] = {}
        self._counted = 0
        self.world = Team(range(self.size), self.traffic)
        self._parameters = parameters
        self._check(blocks)
        names = dict.fromkeys(block.parameter for block in blocks)
        self._layouts = find_layouts(parameters, names, self.world)
        for block in blocks:
            if reason := self._layouts[block.parameter].unsupported:
                self.refused[block] = reason
        blocks = [block for block in blocks if block not in self.refused]
        self._shares = share_out(blocks, self._layouts, self.size)
        self._teams = self._make_teams(blocks)
        self._order = {block: place for place, block in enumerate(blocks)}

    def _check(self, blocks: Sequence[Block]) -> None:
        """All processes must know the same blocks, or their calls would not meet."""
        own = zlib.crc32(repr([(block.name, block.shape) for block in blocks]).encode())
        if self.world.maximum(torch.tensor([own, -own])).sum() != 0:
            raise InputError(
                "the processes hold different blocks, as in pipeline parallelism",
                remedy="watch each stage for itself: data_parallel=False and a folder of its own",
            )

    def _make_teams(self, blocks: Sequence[Block]) -> dict[tuple[int, ...], Team]:
        """A team for every set of ranks that holds something together, the same order anywhere."""
        sets = {
            copy: None
            for block in blocks
            for copy in self._layouts[block.parameter].copies
            if len(copy) > 1
        }
        everyone = self.world.ranks
        return {
            ranks: self.world if ranks == everyone else Team(ranks, self.traffic) for ranks in sets
        }

    def local(self, tensor: Tensor) -> Tensor:
        return local(tensor)

    def gradient(self, parameter: nn.Parameter) -> Tensor | None:
        gradient = parameter.grad
        if isinstance(gradient, DTensor):
            return None if self.partial(parameter) else gradient.to_local()
        return super().gradient(parameter)

    def partial(self, parameter: nn.Parameter) -> bool:
        gradient = parameter.grad
        same = getattr(gradient, "placements", ()) == getattr(parameter, "placements", ())
        return gradient is not None and not same

    def reads(self, blocks: Iterable[Block]) -> list[Block]:
        here = [block for block in blocks if self.rank in self._shares[block].ranks]
        return sorted(here, key=self._order.__getitem__)

    def owner(self, block: Block) -> int:
        return self._shares[block].owner

    def owns(self, block: Block) -> bool:
        return self.owner(block) == self.rank

    def whole(self, block: Block) -> bool:
        return self._shares[block].ranks == (self.rank,)

    def measure(self, parts: Parts, source: Source, names: Sequence[str]) -> list[Measured]:
        failure: Exception | None = None
        measured: list[Measured] = []
        try:
            measured += measure_blocks(self._whole(parts), source, names)
        except Exception as error:
            failure = error
        for ranks, team in self._teams.items():
            held = {b: self._held(b, parts[b]) for b in parts if self._shares[b].ranks == ranks}
            if held:
                measured += measure_together(held, source, names, team, failure is not None)
        if failure is not None:
            raise failure
        return measured

    def _whole(self, parts: Parts) -> dict[Block, Tensor]:
        """Matrices that lie here in full, of the blocks that are this process's."""
        return {
            block: block.view.of(part)
            for block, part in parts.items()
            if part is not None and self.whole(block)
        }

    def _held(self, block: Block, part: Tensor | None) -> Held:
        parameter = self._parameters[block.parameter]
        piece = None
        if part is not None:
            piece = piece_of(block.view, part, bounds_of(parameter), parameter.shape)
        layout, share = self._layouts[block.parameter], self._shares[block]
        dtype = parameter.dtype if part is None else part.dtype
        return Held(layout, share, piece, dtype)

    def _alone(self, block: Block) -> bool:
        """Whether the copy of the block that is read lies in one process."""
        return len(self._shares[block].ranks) == 1

    def follows(self, block: Block) -> bool:
        return self.owns(block) or not self._alone(block)

    def gram_products(self, parts: Parts, frames: Mapping[Block, Tensor]) -> dict[Block, Tensor]:
        alone = {block: part for block, part in parts.items() if self._alone(block)}
        cut = sorted(parts.keys() - alone.keys(), key=self._order.__getitem__)
        pieces = {block: self._piece(block, parts[block]) for block in cut}
        own = super().gram_products(alone, frames)
        return own | sum_gram_products(pieces, frames, self.world)

    def gathered(self, parts: Parts, at: Mapping[Block, int]) -> dict[Block, Tensor]:
        cut = sorted(filter(lambda b: not self._alone(b), parts), key=self._order.__getitem__)
        here = {b: p for b, p in parts.items() if self._alone(b) and at[b] == self.rank}
        pieces = {block: self._piece(block, parts[block]) for block in cut}
        dtypes = {block: self._parameters[block.parameter].dtype for block in cut}
        own = super().gathered(here, at)
        return own | gather_pieces(pieces, at, dtypes, self.world)

    def holders(self, here: Mapping[Block, bool]) -> dict[Block, int]:
        own = torch.tensor([self.rank if has else -1 for has in here.values()], dtype=torch.long)
        ranks = self.world.maximum(own).tolist()
        return {block: rank for block, rank in zip(here, ranks, strict=True) if rank >= 0}

    def _piece(self, block: Block, part: Tensor | None) -> Piece | None:
        """What of the copy that is read lies here."""
        if part is None or self.rank not in self._shares[block].ranks:
            return None
        parameter = self._parameters[block.parameter]
        return piece_of(block.view, part, bounds_of(parameter), parameter.shape)

    def part_of_matrix(self, block: Block, part: Tensor) -> Tensor:
        parameter = self._parameters[block.parameter]
        return piece_of(block.view, part, bounds_of(parameter), parameter.shape).matrix

    def sums(self, numbers: Mapping[Block, Tensor], size: int) -> dict[Block, Tensor]:
        """Every process hands in what it has; a block is counted once a copy."""
        table = torch.zeros(len(self._order), size + 1, dtype=torch.float64)
        for block, own in numbers.items():
            table[self._order[block], :size] = own
            table[self._order[block], size] = 1.0
        summed = self.world.total(table)
        return {
            block: summed[place, :size]
            for block, place in self._order.items()
            if self.owns(block) and summed[place, size] > 0
        }

    def seen(self, activation: Tensor) -> tuple[Tensor, bool]:
        if not isinstance(activation, DTensor):
            return activation, self.contributes
        if _cuts_features(activation):
            self.traffic.sent += activation.to_local().nbytes * (activation.device_mesh.size() - 1)
            activation = activation.redistribute(
                placements=[Replicate()] * activation.device_mesh.ndim
            )
        coordinate = activation.device_mesh.get_coordinate() or ()
        pairs = zip(coordinate, activation.placements, strict=True)
        first = all(place == 0 for place, placement in pairs if placement.is_replicate())
        return activation.to_local(), first

    def merged(self, store: ActivationStore, failed: bool) -> ActivationStore:
        return merge_moments(store, self.world, failed)

    def agree(self, guard: Guard, probes: Sequence[str]) -> None:
        own = torch.tensor([float(name in guard.disabled) for name in probes])
        for name, flag in zip(probes, self.world.maximum(own).tolist(), strict=True):
            if flag and name not in guard.disabled:
                guard.disabled[name] = "failed on another process"

    def slowest(self, values: Sequence[float]) -> list[float]:
        return self.world.maximum(torch.tensor(values, dtype=torch.float64)).tolist()

    def records(self, step: int) -> list[Record]:
        sent, self._counted = self.traffic.sent - self._counted, self.traffic.sent
        return [Record(step, None, Source.MONITOR, "traffic_bytes", float(sent))]

    def summary(self) -> dict[str, object]:
        return {"processes": self.size, "traffic_bytes": self.traffic.sent}


def _cuts_features(activation: DTensor) -> bool:
    """Whether a process sees part of a column of A only, or part of a sum."""
    last = activation.ndim - 1
    return any(
        placement.is_partial() or placement.is_shard(last) or placement.is_shard(-1)
        for placement in activation.placements
    )
