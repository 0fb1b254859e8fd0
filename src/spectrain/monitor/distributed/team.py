"""Teams: processes that share the work on one matrix, with what they send counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


class PeerError(RuntimeError):
    """A probe failed on another process, so that it is switched off on this one too."""


@dataclass(slots=True)
class Traffic:
    """Payload bytes that left this process, whatever the transport makes of them."""

    sent: int = 0


class Team:
    """Some of the run's processes, with a process group of their own.

    Every method is a collective call: all members make it, in the same order.

    Attributes:
        ranks: global ranks of the members.
        index: this process's place among them; ``None`` outside.
        traffic: shared by all teams of a run.
    """

    def __init__(self, ranks: Sequence[int], traffic: Traffic) -> None:
        """Collective over *all* processes, members or not."""
        self.ranks = tuple(ranks)
        self.traffic = traffic
        me = dist.get_rank()
        self.index = self.ranks.index(me) if me in self.ranks else None
        self._group = dist.new_group(list(self.ranks)) if len(self.ranks) > 1 else None
        backend = dist.get_backend()
        on_cuda = "nccl" in backend and "gloo" not in backend
        self.device = torch.device("cuda", torch.cuda.current_device()) if on_cuda else None

    def __len__(self) -> int:
        return len(self.ranks)

    def maximum(self, values: Tensor) -> Tensor:
        """Entrywise maximum over the members."""
        return self._all_reduce(values, dist.ReduceOp.MAX)

    def total(self, values: Tensor) -> Tensor:
        """Entrywise sum over the members."""
        return self._all_reduce(values, dist.ReduceOp.SUM)

    def distinct(self, values: Tensor) -> Tensor:
        """What the members passed, each once, stacked in the order of the first that passed it."""
        if self._group is None:
            return values[None]
        there = self._there(values)
        gathered = [torch.empty_like(there) for _ in self.ranks]
        dist.all_gather(gathered, there, group=self._group)
        first: dict[tuple[int, ...], Tensor] = {}
        for one in gathered:
            first.setdefault(tuple(one.flatten().tolist()), one.cpu())
        return torch.stack(list(first.values()))

    def sum_at(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum over the members of their ``parts[i]``, where i is this member's place."""
        sums = [self._there(part.contiguous()) for part in parts]
        for place, part in enumerate(sums):
            if part.numel() and self._group is not None:
                dist.reduce(part, dst=self.ranks[place], group=self._group)
                self.traffic.sent += part.nbytes * (place != self.index)
        return sums[self.index or 0]

    def exchange(self, payloads: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
        """What the members sent to this one: for each of its items the bytes of every member.

        Args:
            payloads: for each member the bytes of each of *its* items; all members know the number
                of items of each, and nobody but the sender their sizes.
        """
        if self._group is None:
            return [[payload] for payload in payloads[0]]
        index = self.index or 0
        counts = torch.tensor([p.numel() for items in payloads for p in items], dtype=torch.long)
        number = len(payloads[index])
        lengths = [len(items) for items in payloads]
        incoming = self._swap(counts, [number] * len(self), lengths).tolist()
        sent = [sum(p.numel() for p in items) for items in payloads]
        content = torch.cat([p for items in payloads for p in items] or [counts[:0].byte()])
        by_sender = [incoming[i * number : (i + 1) * number] for i in range(len(self))]
        received = self._swap(content, [sum(sizes) for sizes in by_sender], sent)
        parts = iter(received.split([size for sizes in by_sender for size in sizes]))
        table = [[next(parts) for _ in range(number)] for _ in range(len(self))]
        return [[row[item] for row in table] for item in range(number)]

    def _swap(self, content: Tensor, incoming: list[int], outgoing: list[int]) -> Tensor:
        there = self._there(content)
        received = torch.empty(sum(incoming), dtype=content.dtype, device=there.device)
        dist.all_to_all_single(received, there, incoming, outgoing, group=self._group)
        self.traffic.sent += (sum(outgoing) - outgoing[self.index or 0]) * content.itemsize
        return received

    def _all_reduce(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        if self._group is None:
            return values
        there = self._there(values.contiguous().clone())
        dist.all_reduce(there, operation, group=self._group)
        self.traffic.sent += there.nbytes
        return there

    def _there(self, values: Tensor) -> Tensor:
        return values if self.device is None else values.to(self.device)


def to_bytes(tensor: Tensor) -> Tensor:
    """The content of a tensor as bytes."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def from_bytes(content: Tensor, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """A tensor out of its bytes."""
    return content.clone().view(dtype).reshape(tuple(shape))
