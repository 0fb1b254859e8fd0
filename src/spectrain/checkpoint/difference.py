"""Two checkpoints of one model: what moved, how far, in how many directions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from math import isfinite
from pathlib import Path

import torch
from jaxtyping import Float
from scipy.linalg import eigh
from torch import Tensor

from spectrain.checkpoint.content import Content, content_of, fingerprint
from spectrain.checkpoint.inspect import Inspection, incomplete, manifest_of
from spectrain.checkpoint.measure import EXPECTED, Measured
from spectrain.checkpoint.stored import Checkpoint, Product, Stored
from spectrain.checkpoint.stream import Follow, Task, stream
from spectrain.core import (
    QUANTITIES,
    Block,
    InputError,
    Quantity,
    Record,
    Skipped,
    Source,
    View,
)
from spectrain.matrix import Spectrum, Status, diagonal_spectrum, frobenius_norm, spectrum
from spectrain.matrix.backends import Method
from spectrain.matrix.gram import panelled

CHANGES = tuple(
    quantity.measure
    for quantity in QUANTITIES.add(
        Quantity(Source.UPDATE, measure, "1", formula)
        for measure, formula in (
            ("relative_change", "‖W₁ − W₀‖_F/‖W₀‖_F"),
            ("left_overlap", "mean squared overlap of the leading left singular directions"),
            ("right_overlap", "mean squared overlap of the leading right singular directions"),
            ("lora_rank", "least rank that keeps the asked-for share of ‖W₁ − W₀‖_F²"),
        )
    )
)
"""Measures of a change beyond the spectral ones of W₁ − W₀."""

DIRECTIONS = 10
"""So many leading singular directions are compared."""


def compare_checkpoints(
    before: Checkpoint,
    after: Checkpoint,
    folder: str | os.PathLike[str],
    *,
    share: float = 0.9,
    method: Method = "auto",
    workers: int = 1,
    follow: Follow | None = None,
) -> Inspection:
    """Measure W₁ − W₀ of every block that two checkpoints have in common.

    The records have source ``update``: all spectral measures of W₁ − W₀; ``relative_change`` =
    ‖W₁ − W₀‖_F/‖W₀‖_F; ``left_overlap`` and ``right_overlap`` of the leading singular directions
    (:func:`overlap`); ``lora_rank``, the least rank that keeps ``share`` of ‖W₁ − W₀‖_F².

    Args:
        before: W₀.
        after: W₁.
        folder: run folder for the records.
        share: part of the change that an adapter is to keep.
        method: back end of :func:`~spectrain.matrix.spectrum`.
        workers: threads.
        follow: shows progress.

    Raises:
        InputError: ``share`` is not within (0, 1], the checkpoints have no block in common, or the
            folder holds something else.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}", remedy="pass a number above 0, at most 1")
    old, new = content_of(before), content_of(after)
    tasks, unmatched = _tasks(old, new, share, method), _unmatched(old, new)
    if not tasks:
        raise InputError(
            f"{before.path.name!r} and {after.path.name!r} have no block in common",
            remedy="pass two checkpoints of one model",
        )
    contents = (old, new)
    config = {"method": method, "share": share, "directions": DIRECTIONS, "difference": True}
    run = stream(
        Path(folder),
        tasks,
        mark=fingerprint(contents, ("difference", method, share)),
        manifest=manifest_of(contents, config),
        workers=workers,
        follow=follow,
    )
    return Inspection(run, contents, (*incomplete(run, contents), *unmatched))


def kept_rank(s: Spectrum, share: float) -> int:
    """The least r for which the r largest singular values keep ``share`` of the energy Σσ².

    Example:
        >>> kept_rank(diagonal_spectrum(torch.tensor([3.0, 1.0, 1.0])), 0.9)
        2
    """
    energy = s.values.square().cumsum(-1)
    if not energy.numel() or not energy[-1] > 0:
        return 0
    return int((energy < share * energy[-1] * (1 - 1e-12)).sum()) + 1


def leading_directions(
    matrix: Float[Tensor, "m n"], count: int
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "n k"]]:
    """The left and right singular vectors of the ``count`` largest singular values, in float64."""
    wide = matrix.shape[0] <= matrix.shape[1]
    short = matrix if wide else matrix.mT
    size = len(short)
    chosen = [max(size - count, 0), size - 1]
    found = eigh(panelled(matrix, 1.0, torch.float64).numpy(), subset_by_index=chosen)
    vectors = torch.from_numpy(found[1])
    others = torch.linalg.qr(short.mT.double() @ vectors).Q
    return (vectors, others) if wide else (others, vectors)


def overlap(one: Float[Tensor, "d k"], other: Float[Tensor, "d k"]) -> float:
    """Mean squared cosine ‖UᵀV‖_F²/k between two subspaces given by orthonormal columns.

    1 where they are equal, 0 where they are orthogonal, k/d on average where they are random.

    Source:
        Golub & Van Loan, Matrix Computations, §6.4.3 (angles between subspaces).

    Example:
        >>> overlap(torch.eye(3)[:, :2], torch.eye(3)[:, 1:])
        0.5
    """
    return float((one.mT @ other).square().sum() / one.shape[1])


def _tasks(old: Content, new: Content, share: float, method: Method) -> list[Task]:
    stored = {item.name: item for item in old.checkpoint.tensors}
    shapes = {block.name: block.shape for block in old.blocks}
    tasks = []
    for item, blocks in new.tasks():
        common = tuple(b for b in blocks if shapes.get(b.name) == b.shape)
        if common and item.name in stored:
            work = partial(
                _compare, stored[item.name], item, common, new.step, share=share, method=method
            )
            tasks.append(Task(new.step, tuple(block.name for block in common), work))
    return tasks


def _unmatched(old: Content, new: Content) -> Iterator[Skipped]:
    shapes = {block.name: block.shape for block in old.blocks}
    names = {block.name for block in new.blocks}
    for block in new.blocks:
        if block.name not in shapes:
            yield Skipped(block.name, f"only in {new.checkpoint.path.name!r}")
        elif (shape := shapes[block.name]) != block.shape:
            yield Skipped(block.name, f"its shape was {shape} and is {block.shape}")
    for name in shapes.keys() - names:
        yield Skipped(name, f"only in {old.checkpoint.path.name!r}")


def _compare(
    before: Stored,
    after: Stored,
    blocks: tuple[Block, ...],
    step: int,
    *,
    share: float,
    method: Method,
) -> Measured:
    result = Measured()
    for block in blocks:
        try:
            w0, w1 = before.load(), after.load()
            _add_change(result, w0, w1, block, step, share, method)
        except EXPECTED as error:
            result.add_failure(error, block.name, Source.UPDATE, step)
    return result


def _add_change(
    result: Measured,
    w0: Tensor | Product,
    w1: Tensor | Product,
    block: Block,
    step: int,
    share: float,
    method: Method,
) -> None:
    left = right = None
    if isinstance(w0, Product) and isinstance(w1, Product):
        first, second = w0.seen_through(block.view), w1.seen_through(block.view)
        change = second.minus(first).spectrum()
        norm = frobenius_norm(first.spectrum()).item()
    elif isinstance(w0, Tensor) and isinstance(w1, Tensor):
        a, b = _matrix(w0, block.view), _matrix(w1, block.view)
        change = diagonal_spectrum(b - a) if a.ndim == 1 else spectrum(b - a, method=method)
        norm = float(torch.linalg.vector_norm(a, dtype=torch.float64))
        if int(change.status) == Status.ZERO:
            left = right = 1.0
        elif a.ndim == 2 and int(change.status) == Status.OK and norm > 0:
            (u0, v0), (u1, v1) = (leading_directions(w, DIRECTIONS) for w in (a, b))
            left, right = overlap(u0, u1), overlap(v0, v1)
    else:
        raise InputError("a factored matrix and a dense one", remedy="merge the adapter first")
    result.add_spectrum(change, block.name, Source.UPDATE, step)
    relative = frobenius_norm(change).item() / norm if norm > 0 else None
    rank = None if int(change.status) == Status.NOT_FINITE else float(kept_rank(change, share))
    reason = change.reasons[0] or "not defined for this block"
    for name, value in zip(CHANGES, (relative, left, right, rank), strict=True):
        known = value is not None and isfinite(value)
        result.records.append(
            Record(
                step,
                block.name,
                Source.UPDATE,
                name,
                value if known else None,
                reason=None if known else reason,
            )
        )


def _matrix(whole: Tensor, view: View) -> Tensor:
    matrix = view.of(whole)
    return matrix if matrix.dtype == torch.float64 else matrix.float()
