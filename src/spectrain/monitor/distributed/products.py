"""Products with matrices whose parts lie on several processes, and such matrices put together."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spectrain.core import Block
from spectrain.monitor.distributed.layout import Piece
from spectrain.monitor.distributed.spectra import packed, together
from spectrain.monitor.distributed.team import Team


def sum_gram_products(
    pieces: Mapping[Block, Piece | None], frames: Mapping[Block, Tensor], team: Team
) -> dict[Block, Tensor]:
    """WᵀW V of each block, on every process: two sums over the team, of as many numbers as V has.

    Args:
        pieces: the same blocks in the same order everywhere; nothing where no part is here.
        frames: V, the same everywhere.
        team: that holds the parts; each entry of W lies in one of them.
    """
    if not pieces:
        return {}
    images = {block: _image(block, piece, frames[block]) for block, piece in pieces.items()}
    images = _total(images, team)
    return _total({b: _back(b, pieces[b], image) for b, image in images.items()}, team)


def gather_pieces(
    pieces: Mapping[Block, Piece | None],
    at: Mapping[Block, int],
    dtypes: Mapping[Block, torch.dtype],
    team: Team,
) -> dict[Block, Tensor]:
    """Whole matrices, each put together in the process that ``at`` names; those of this one.

    Args:
        pieces: the same blocks in the same order everywhere; nothing where no part is here.
        at: ranks.
        dtypes: of the parts.
        team: all processes.
    """
    if not pieces:
        return {}
    by_rank = [[block for block in pieces if at[block] == rank] for rank in team.ranks]
    received = team.exchange([[packed(pieces[block]) for block in own] for own in by_rank])
    mine = by_rank[team.index or 0]
    return {
        block: together(block, parts, dtypes[block])
        for block, parts in zip(mine, received, strict=True)
    }


def _image(block: Block, piece: Piece | None, frame: Tensor) -> Tensor:
    """What the part here gives of W V."""
    image = frame.new_zeros(block.shape[0], frame.shape[1])
    if piece is not None:
        image[piece.rows] = piece.matrix.to(frame.dtype) @ frame[piece.columns]
    return image


def _back(block: Block, piece: Piece | None, image: Tensor) -> Tensor:
    """What the part here gives of Wᵀ(W V)."""
    back = image.new_zeros(block.shape[1], image.shape[1])
    if piece is not None:
        back[piece.columns] = piece.matrix.to(image.dtype).mT @ image[piece.rows]
    return back


def _total(tensors: Mapping[Block, Tensor], team: Team) -> dict[Block, Tensor]:
    """Each of them summed over the team, all of one precision in one call."""
    totals: dict[Block, Tensor] = {}
    for dtype in sorted({one.dtype for one in tensors.values()}, key=str):
        alike = {block: one for block, one in tensors.items() if one.dtype == dtype}
        summed = team.total(torch.cat([one.reshape(-1) for one in alike.values()]))
        parts = summed.split([one.numel() for one in alike.values()])
        for (block, one), part in zip(alike.items(), parts, strict=True):
            totals[block] = part.reshape(one.shape).to(one.device)
    return {block: totals[block] for block in tensors}
