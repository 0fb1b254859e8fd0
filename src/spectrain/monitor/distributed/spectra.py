"""Spectra of matrices whose parts lie on several processes.

Where only the longer side is cut, the small Gram matrix is the sum of those of the parts and is
summed at the block's owner. Where its error bound does not suffice (steep and low-rank spectra),
the parts' QR factors R are stacked there: RᵀR is the same Gram matrix, but never formed. Only where
the shorter side is cut the parts themselves are sent, and only to the owner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain.core import Block, Source
from spectrain.matrix import RECORD_RTOL, Spectrum, SpectrumStatus, diagonal_spectrum, spectrum
from spectrain.matrix.gram import singular_values
from spectrain.matrix.scale import unit_scale
from spectrain.matrix.spectrum import relative_error
from spectrain.monitor.distributed.layout import Layout, Piece, cut_sides
from spectrain.monitor.distributed.shares import Share
from spectrain.monitor.distributed.team import PeerError, Team, from_bytes, to_bytes
from spectrain.monitor.measuring import Measured

ABSENT, FAILED = -1.0, math.inf


@dataclass(frozen=True, slots=True)
class Held:
    """A block of which a part lies here: how it is spread, who owns it, and the part."""

    layout: Layout
    share: Share
    piece: Piece | None
    dtype: torch.dtype

    def summed(self, block: Block) -> bool:
        """Whether the small Gram matrix is the sum of those of the parts."""
        rows, columns = cut_sides(block, self.layout)
        m, n = block.shape
        return not block.view.diagonal and ((not rows and m <= n) or (not columns and m >= n))

    def tall(self, block: Block) -> Tensor:
        """The part with the small side as its columns; no row where there is no part."""
        if self.piece is None:
            return torch.empty(0, min(block.shape), dtype=self.dtype)
        rows, _ = cut_sides(block, self.layout)
        wide = not rows and block.shape[0] <= block.shape[1]
        return self.piece.matrix.mT if wide else self.piece.matrix


def measure_together(
    held: Mapping[Block, Held], source: Source, names: Sequence[str], team: Team, failed: bool
) -> list[Measured]:
    """Spectra of the blocks of one team; those that this process owns are returned.

    Args:
        held: the same blocks in the same order on every member; a piece may be missing (no
            gradient), and counts as zeros if it is not missing everywhere.
        source: of the records.
        names: measures.
        team: who holds them.
        failed: whether this process has already failed, and takes part for the others only.

    Raises:
        PeerError: another member failed; all of them raise.
    """
    largest = _agreed_largest(held, team, failed)
    present = {block: one for block, one in held.items() if largest[block] >= 0}
    summed = [block for block, one in present.items() if one.summed(block)]
    gathered = [block for block in present if block not in summed]
    spectra = _by_grams(present, summed, largest, team) | _by_parts(present, gathered, team)
    return [
        _measured(block, source, names, spectra[block]) for block in present if block in spectra
    ]


def _agreed_largest(held: Mapping[Block, Held], team: Team, failed: bool) -> dict[Block, float]:
    """Largest magnitude in each matrix; also shows whether any member failed."""
    own = [FAILED if failed else 0.0]
    own += [_largest(one.piece) for one in held.values()]
    failing, *values = team.maximum(torch.tensor(own, dtype=torch.float64)).tolist()
    if failing == FAILED:
        raise PeerError("failed on another process")
    return dict(zip(held, values, strict=True))


def _largest(piece: Piece | None) -> float:
    if piece is None:
        return ABSENT
    if piece.matrix.numel() == 0:
        return 0.0
    value = torch.linalg.vector_norm(piece.matrix, math.inf).item()
    return value if value == value else math.inf


def _by_grams(
    held: Mapping[Block, Held], blocks: Sequence[Block], largest: Mapping[Block, float], team: Team
) -> dict[Block, Spectrum]:
    if not blocks:
        return {}
    scaled = {block: _unit(held[block].tall(block), largest[block]) for block in blocks}
    by_owner = _by_owner(held, blocks, team)
    grams = [[(scaled[b].unit.mT @ scaled[b].unit).reshape(-1) for b in own] for own in by_owner]
    sums = team.sum_at([torch.cat(flat or [torch.empty(0).double()]) for flat in grams])
    mine = by_owner[team.index or 0]
    spectra: dict[Block, Spectrum] = {}
    for block, flat in zip(mine, sums.split([min(b.shape) ** 2 for b in mine]), strict=True):
        size, longer = min(block.shape), max(block.shape)
        values, error = singular_values(flat.reshape(size, size), longer, torch.float64)
        spectra[block] = scaled[block].spectrum(block, values, error, "gram/float64")
    poor = [float(block in spectra and _is_poor(spectra[block])) for block in blocks]
    flags = team.maximum(torch.tensor(poor, dtype=torch.float64)).tolist()
    again = [block for block, flag in zip(blocks, flags, strict=True) if flag]
    return spectra | _by_factors(held, again, scaled, team)


def _by_factors(
    held: Mapping[Block, Held], blocks: Sequence[Block], scaled: Mapping[Block, _Scaled], team: Team
) -> dict[Block, Spectrum]:
    """A second time from the QR factors of the parts, as accurate as the matrix in one place."""
    if not blocks:
        return {}
    by_owner = _by_owner(held, blocks, team)
    factors = [[to_bytes(_factor(scaled[block].unit)) for block in own] for own in by_owner]
    received = team.exchange(factors)
    spectra = {}
    for block, parts in zip(by_owner[team.index or 0], received, strict=True):
        size = min(block.shape)
        rows = [from_bytes(part, torch.float64, (-1, size)) for part in parts if part.numel()]
        s = spectrum(torch.cat(rows), rtol=RECORD_RTOL)
        spectra[block] = scaled[block].spectrum(block, s.values, s.error, s.method)
    return spectra


def _by_parts(
    held: Mapping[Block, Held], blocks: Sequence[Block], team: Team
) -> dict[Block, Spectrum]:
    """From the parts themselves, put together at the owner."""
    if not blocks:
        return {}
    by_owner = _by_owner(held, blocks, team)
    received = team.exchange([[packed(held[block].piece) for block in own] for own in by_owner])
    spectra = {}
    for block, parts in zip(by_owner[team.index or 0], received, strict=True):
        whole = together(block, parts, held[block].dtype)
        if block.view.diagonal:
            spectra[block] = diagonal_spectrum(whole)
        else:
            spectra[block] = spectrum(whole, rtol=RECORD_RTOL)
    return spectra


def together(block: Block, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """A block's matrix out of the bytes of its parts; missing ones are zeros."""
    rows, columns = block.shape
    device = parts[0].device
    whole = torch.zeros(
        rows if block.view.diagonal else (rows, columns), dtype=dtype, device=device
    )
    for part in parts:
        if part.numel():
            _unpacked(part, dtype).put_into(whole)
    return whole


def packed(piece: Piece | None) -> Tensor:
    """A piece as bytes: number of rows and columns, their positions, the entries."""
    if piece is None or piece.matrix.numel() == 0:
        return torch.empty(0, dtype=torch.uint8)
    sizes = torch.tensor([len(piece.rows), len(piece.columns)], device=piece.rows.device)
    parts = (sizes, piece.rows, piece.columns, piece.matrix)
    return torch.cat([to_bytes(part) for part in parts])


def _unpacked(content: Tensor, dtype: torch.dtype) -> Piece:
    rows, columns = from_bytes(content[:16], torch.long, (2,)).tolist()
    end = 8 * (2 + rows + columns)
    positions = from_bytes(content[16:end], torch.long, (-1,))
    matrix = from_bytes(content[end:], dtype, (-1,))
    if len(matrix) != rows:
        matrix = matrix.reshape(rows, columns)
    return Piece(matrix, positions[:rows], positions[rows:])


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A part in float64 over the power of two that suits the whole matrix."""

    unit: Tensor
    scale: float
    status: SpectrumStatus

    def spectrum(self, block: Block, values: Tensor, error: Tensor, method: str) -> Spectrum:
        rank = min(block.shape)
        values, error = values.flatten()[:rank] * self.scale, error.flatten()[:rank] * self.scale
        if self.status is SpectrumStatus.NOT_FINITE:
            values = torch.full_like(values, torch.nan)
        status = torch.tensor(int(self.status), dtype=torch.int8, device=values.device)
        return Spectrum(values, error, block.shape, method, status)


def _unit(tall: Tensor, largest: float) -> _Scaled:
    unit, scale = unit_scale(
        tall, torch.tensor(largest, dtype=torch.float64, device=tall.device), torch.float64
    )
    status = (
        SpectrumStatus.OK
        if 0 < largest < math.inf
        else SpectrumStatus.NOT_FINITE
        if largest
        else SpectrumStatus.ZERO
    )
    return _Scaled(unit, scale.item(), status)


def _factor(tall: Tensor) -> Tensor:
    """R with RᵀR = TᵀT, of no more rows than T."""
    rows, columns = tall.shape
    return torch.linalg.qr(tall, mode="r").R if rows > columns else tall


def _is_poor(s: Spectrum) -> bool:
    return bool(relative_error(s.values, s.error) > RECORD_RTOL)


def _by_owner(held: Mapping[Block, Held], blocks: Sequence[Block], team: Team) -> list[list[Block]]:
    return [[block for block in blocks if held[block].share.owner == rank] for rank in team.ranks]


def _measured(block: Block, source: Source, names: Sequence[str], s: Spectrum) -> Measured:
    batch = Spectrum(s.values[None], s.error[None], s.shape, s.method, s.status.reshape(1))
    return Measured((block,), source, tuple(names), batch)
