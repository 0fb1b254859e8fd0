"""Activation moments summed over processes, each at the one that records it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

from spectrain.core import Feed, Tap
from spectrain.monitor.activations import ActivationStore, SecondMoment
from spectrain.monitor.distributed.team import PeerError, Team
from spectrain.monitor.sample import on_host

DTYPES = (torch.float32, torch.float64, torch.int64)


def merge_moments(store: ActivationStore, team: Team, failed: bool) -> ActivationStore:
    """Sum the moments of every feed over the team; each comes out at its owner only.

    A process that saw nothing of a feed (an expert that none of its tokens chose) adds nothing.
    Feeds that share one tensor on every process that saw them are summed once.

    Args:
        store: with the same feeds declared on every process, in one order.
        team: all processes.
        failed: whether this process takes part for the others only.

    Raises:
        PeerError: a process failed; all raise.
    """
    feeds = store.feeds
    own = torch.tensor([[int(failed), 0, 0, 0, 0], *_headers(store, feeds)], dtype=torch.long)
    # A leader that differs shows as a maximum of both its number and its negative.
    top = team.maximum(own)
    if top[0, 0]:
        raise PeerError("failed on another process")
    inseparable, leader, minus, size, code = top[1:].T.tolist()
    columns = team.total(torch.tensor([_columns(store, feed) for feed in feeds])).tolist()
    largest, limits = team.maximum(_sizes(store, feeds)).T
    energies = team.total(_energies(store, feeds))
    groups: dict[int, int] = {}
    for index in range(len(feeds)):
        if code[index] and not inseparable[index]:
            head = leader[index]
            same = head == -minus[index] and not inseparable[head]
            groups[index] = head if same else index
    leaders = sorted(set(groups.values()), key=lambda index: (-size[index], index))
    owner = {index: place % len(team) for place, index in enumerate(leaders)}
    merged = ActivationStore(feeds)
    for number, dtype in enumerate(DTYPES, start=1):
        chosen = [index for index in leaders if code[index] == number]
        if chosen:
            sums = _summed(store, feeds, chosen, owner, size, dtype, team)
            for index, second in sums.items():
                moments = SecondMoment(second, columns[index])
                if limits[index] > 0:
                    moments.largest, moments.limit = largest[index], float(limits[index])
                if feeds[index].tap is Tap.NORMALIZED:
                    moments.energy = energies[index]
                for member, head in groups.items():
                    if head == index:
                        merged.moments[feeds[member]] = moments
    if team.index == 0:
        merged.inseparable = {feeds[i] for i, flag in enumerate(inseparable) if flag}
        merged.unseen = {f for i, f in enumerate(feeds) if not code[i] and not inseparable[i]}
    return merged


def _summed(
    store: ActivationStore,
    feeds: Sequence[Feed],
    chosen: Sequence[int],
    owner: dict[int, int],
    size: Sequence[int],
    dtype: torch.dtype,
    team: Team,
) -> dict[int, Tensor]:
    """The sums of the chosen feeds that this process owns."""
    shapes = {i: (size[i],) if dtype is torch.int64 else (size[i], size[i]) for i in chosen}
    by_owner = [[i for i in chosen if owner[i] == place] for place in range(len(team))]
    parts = [
        torch.cat([_second(store, feeds[i], shapes[i], dtype).reshape(-1) for i in own])
        if own
        else torch.empty(0, dtype=dtype)
        for own in by_owner
    ]
    mine = by_owner[team.index or 0]
    total = team.sum_at(parts)
    pieces = total.split([torch.Size(shapes[i]).numel() for i in mine]) if mine else ()
    return {i: piece.reshape(shapes[i]) for i, piece in zip(mine, pieces, strict=True)}


def _second(
    store: ActivationStore, feed: Feed, shape: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    moments = store.moments.get(feed)
    if moments is None or moments.second is None:
        return torch.zeros(shape, dtype=dtype)
    second = moments.second.to(dtype)
    if second.ndim == 1 and len(second) < shape[0]:
        return torch.cat([second, second.new_zeros(shape[0] - len(second))])
    return second


def _headers(store: ActivationStore, feeds: Sequence[Feed]) -> list[list[int]]:
    """Inseparable here, number of the first that shares the moments, its negative, size, dtype.

    One row a feed; the least values where it was not seen.
    """
    lowest = -len(feeds) - 1
    first: dict[int, int] = {}
    rows = []
    for index, feed in enumerate(feeds):
        moments = store.moments.get(feed)
        if moments is None or moments.second is None:
            rows.append([int(feed in store.inseparable), lowest, lowest, 0, 0])
            continue
        leader = first.setdefault(id(moments), index)
        code = 1 + DTYPES.index(moments.second.dtype)
        rows.append([0, leader, -leader, len(moments.second), code])
    return rows


def _columns(store: ActivationStore, feed: Feed) -> int:
    moments = store.moments.get(feed)
    return 0 if moments is None else moments.columns


def _sizes(store: ActivationStore, feeds: Sequence[Feed]) -> Tensor:
    """Largest magnitude of each feed, infinite where it is not a number, and its precision's."""
    known = [moments for moments in map(store.moments.get, feeds) if moments is not None]
    values = iter(on_host([m.largest for m in known if m.largest is not None]))
    rows = torch.full((len(feeds), 2), -1.0, dtype=torch.float64)
    for row, feed in zip(rows, feeds, strict=True):
        moments = store.moments.get(feed)
        if moments is not None and moments.largest is not None:
            value = next(values)
            row[0], row[1] = value if value == value else inf, moments.limit
    return rows


def _energies(store: ActivationStore, feeds: Sequence[Feed]) -> Tensor:
    """Energy of what each norm layer reads here."""
    moments = [store.moments.get(feed) for feed in feeds]
    energies = [None if one is None else one.energy for one in moments]
    values = iter(on_host([energy for energy in energies if energy is not None]))
    return torch.tensor(
        [0.0 if energy is None else next(values) for energy in energies], dtype=torch.float64
    )
