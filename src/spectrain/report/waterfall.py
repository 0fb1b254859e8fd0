"""Spectra through training, packed so that a page can hold those of all blocks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spectrain.core import Block, Source
from spectrain.page.format import rounded
from spectrain.records import Run

SOURCES = (Source.GRADIENT, Source.UPDATE, Source.WEIGHT)
MOST_BLOCKS = 400
MOST_VALUES = 400_000
MOST_SLICES = 28
MOST_POINTS = 64
DECADES = 8
"""Singular values this far below the largest, and further, are drawn as missing."""

_AT_ONCE = 32  # blocks whose spectra are in memory together
_LEVELS = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Spectra of one block and source at some steps.

    Attributes:
        steps: of the slices.
        largest: σ₁ of every slice.
        indices: which singular values are kept, counted from 1.
        packed: log₁₀(σ₁/σᵢ) of slices × indices as little-endian 16-bit integers in base 64;
            65,535 stands for 8 decades or more.
    """

    steps: list[int]
    largest: list[float | None]
    indices: list[int]
    packed: str


@dataclass(frozen=True, slots=True)
class Picker:
    """The spectra that a page holds.

    Attributes:
        blocks: names to choose from.
        sources: kinds of matrices.
        waterfalls: by ``"number of the block/source"``.
        omitted: blocks with spectra that found no place.
    """

    blocks: list[str]
    sources: list[str]
    waterfalls: dict[str, Waterfall]
    omitted: int


def read_waterfalls(run: Run, blocks: Sequence[Block]) -> Picker:
    """Spectra of as many blocks as a page holds, thinned in steps and indices where there are many.

    Of more than 400 blocks one of each role and depth is kept; where these are still too many,
    every few of them, some 130, for the page to stay small.
    """
    chosen = _places(blocks)
    slices, points = _allowance(len(chosen) * len(SOURCES))
    packed: dict[str, dict[str, Waterfall]] = {}
    for start in range(0, len(chosen), _AT_ONCE):
        some = [block.name for block in chosen[start : start + _AT_ONCE]]
        spectra = run.spectra(source=SOURCES, block=some).filter(
            pl.col("rank") == pl.col("rank").min(), pl.col("values").list.len() > 0
        )
        for (name, source), rows in spectra.group_by("block", "source", maintain_order=True):
            packed.setdefault(str(name), {})[str(source)] = _pack(rows, slices, points)
    names = [block.name for block in chosen if block.name in packed]
    waterfalls = {
        f"{number}/{source}": waterfall
        for number, name in enumerate(names)
        for source, waterfall in packed[name].items()
    }
    recorded = {source for series in packed.values() for source in series}
    sources = [str(source) for source in SOURCES if source in recorded]
    return Picker(names, sources, waterfalls, len(blocks) - len(chosen))


def keep_slices(samples: int, count: int) -> NDArray[np.int64]:
    """Positions of ``count`` samples or fewer, evenly, the first and the last among them.

    Example:
        >>> keep_slices(100, 4).tolist()
        [0, 33, 66, 99]
    """
    return np.unique(np.linspace(0, samples - 1, count).round().astype(np.int64))


def keep_indices(size: int, count: int) -> NDArray[np.int64]:
    """``count`` of ``size`` singular values or fewer: the largest ones all, the rest evenly.

    Example:
        >>> keep_indices(1000, 8).tolist()
        [0, 1, 2, 3, 4, 335, 667, 999]
    """
    if size <= count:
        return np.arange(size)
    head = count // 2
    return np.concatenate([np.arange(head), np.linspace(head, size - 1, count - head, dtype=int)])


def _pack(rows: pl.DataFrame, slices: int, points: int) -> Waterfall:
    rows = rows.sort("step")
    kept = rows[keep_slices(rows.height, slices)]
    values = np.stack([np.asarray(row, dtype=np.float64) for row in kept["values"]])
    indices = keep_indices(values.shape[1], points)
    largest = values[:, :1]
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.log10(largest / values[:, indices])
    levels = np.nan_to_num(below, nan=DECADES, posinf=DECADES).clip(0, DECADES) / DECADES * _LEVELS
    return Waterfall(
        kept["step"].to_list(),
        [rounded(float(value)) for value in largest[:, 0]],
        (indices + 1).tolist(),
        b64encode(levels.round().astype("<u2").tobytes()).decode(),
    )


def _allowance(series: int) -> tuple[int, int]:
    """Slices and points a series may have so that all fit."""
    share = max(MOST_VALUES // max(series, 1), 1)
    slices = int(np.clip(share // MOST_POINTS, 12, MOST_SLICES))
    return slices, int(np.clip(share // slices, 16, MOST_POINTS))


def _places(blocks: Sequence[Block]) -> list[Block]:
    if len(blocks) <= MOST_BLOCKS:
        return list(blocks)
    cells = list({(block.role, block.depth): block for block in reversed(blocks)}.values())[::-1]
    return cells if len(cells) <= MOST_BLOCKS else cells[:: -(-3 * len(cells) // MOST_BLOCKS)]
