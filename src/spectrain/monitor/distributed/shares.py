"""Who does what: blocks shared out over the processes that hold them, by cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spectrain.core import Block
from spectrain.monitor.distributed.layout import Layout


@dataclass(frozen=True, slots=True)
class Share:
    """Who works on a block.

    Attributes:
        ranks: the processes that together hold the copy that is read.
        owner: the one of them that finishes and records.
    """

    ranks: tuple[int, ...]
    owner: int


def share_out(
    blocks: Iterable[Block], layouts: Mapping[str, Layout], processes: int
) -> dict[Block, Share]:
    """For each block the copy that is read and its owner: largest cost first, to the least loaded.

    The cost of the m × n Gram matrix is m·n·min(m, n), shared by those who hold the copy; that of
    its eigenvalues, 9·min(m, n)³ on one core, is the owner's alone. Depends on nothing but its
    arguments, so that all processes come to the same result without communicating.

    Example:
        >>> from spectrain.core import Role
        >>> blocks = [Block(name, Role.OTHER, None, (4, 4), name) for name in "abc"]
        >>> everywhere = Layout(((0,), (1,)))
        >>> shares = share_out(blocks, dict.fromkeys("abc", everywhere), 2)
        >>> [shares[block].owner for block in blocks]
        [0, 1, 0]
    """
    load = [0.0] * processes
    shares = {}
    for block in sorted(blocks, key=lambda b: (-sum(costs(b)), b.name)):
        gram, eigenvalues = costs(block)
        copies = layouts[block.parameter].copies
        ranks = min(copies, key=lambda copy: (sum(load[r] for r in copy), copy))
        owner = min(ranks, key=lambda rank: (load[rank], rank))
        for rank in ranks:
            load[rank] += gram / len(ranks)
        load[owner] += eigenvalues
        shares[block] = Share(ranks, owner)
    return shares


def costs(block: Block) -> tuple[float, float]:
    """Multiplications of the Gram matrix and of its eigenvalues."""
    rows, columns = block.shape
    if block.view.diagonal:
        return float(rows), 0.0
    small = min(rows, columns)
    return float(rows * columns * small), 9.0 * small**3
