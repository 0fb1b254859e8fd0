"""Two fine-tunings of one base: how their changes interact, and what a merge would lose."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from torch import Tensor

from spectrain.checkpoint.adapters.thin import dense
from spectrain.checkpoint.content import content_of, fingerprint
from spectrain.checkpoint.differences.changes import Pair, change_of
from spectrain.checkpoint.differences.compare import pair_weights
from spectrain.checkpoint.differences.directions import (
    DIRECTIONS,
    leading_directions,
    overlap,
    signal_rank,
)
from spectrain.checkpoint.differences.measures import INTERFERENCE, add_measures
from spectrain.checkpoint.differences.names import aligned
from spectrain.checkpoint.inspect import Inspection, incomplete, manifest_of
from spectrain.checkpoint.measure import Measured
from spectrain.checkpoint.stored import Checkpoint
from spectrain.checkpoint.stream import Follow, Task, stream
from spectrain.core import Block, InputError, Source
from spectrain.matrix import spectrum
from spectrain.matrix.backends import Method


def compare_changes(
    base: Checkpoint,
    one: Checkpoint,
    other: Checkpoint,
    folder: str | os.PathLike[str],
    *,
    method: Method = "auto",
    workers: int = 1,
    follow: Follow | None = None,
) -> Inspection:
    """Measure how two changes of one base interact, block by block.

    With A = W₁ − W₀ and B = W₂ − W₀, the records have source ``update``: the spectral measures of
    A + B; ``change_cosine`` = ⟨A, B⟩/(‖A‖‖B‖); ``change_ratio`` = ‖B‖/‖A‖; ``sign_conflict``, the
    share of Σ|Aᵢⱼ||Bᵢⱼ| where the two have opposite signs; ``left_interference`` and
    ``right_interference``, the overlap of the leading singular directions of A and B, as many as
    stand apart from noise (:func:`~spectrain.checkpoint.differences.directions.signal_rank`), ten
    at most. One weight is in memory at a time, of each of the three.

    Args:
        base: W₀.
        one: W₁, or an adapter.
        other: W₂, or an adapter.
        folder: run folder for the records.
        method: back end of :func:`~spectrain.matrix.spectrum`.
        workers: threads.
        follow: shows progress.

    Raises:
        InputError: the three have no block in common, or the folder holds something else.

    Source:
        Yadav et al., TIES-Merging (2023), §3, for the conflict of signs; Golub & Van Loan, Matrix
        Computations, §6.4.3, for the overlap.
    """
    changes = []
    for tuned in (one, other):
        start, end = aligned(base, tuned)
        adapter = end.format.endswith("adapter") and not start.format.endswith("adapter")
        pairs = pair_weights(content_of(start), content_of(end), adapter=adapter)
        changes.append({pair.before.name: (pair, blocks) for pair, blocks in pairs})
    contents = tuple(content_of(checkpoint) for checkpoint in (base, one, other))
    step = contents[0].step
    tasks = []
    for name in [name for name in changes[0] if name in changes[1]]:
        (first, blocks), (second, others) = changes[0][name], changes[1][name]
        shapes = {block.name: block.shape for block in others}
        common = tuple(b for b in blocks if shapes.get(b.name) == b.shape and not b.view.diagonal)
        work = partial(_meet, first, second, common, step, method)
        if common:
            tasks.append(Task(step, tuple(block.name for block in common), work))
    if not tasks:
        raise InputError(
            "the three checkpoints have no block in common",
            remedy="pass the base model and two that were trained from it",
        )
    old = content_of(aligned(base, one)[0])
    config = {"method": method, "difference": True, "interference": True}
    run = stream(
        Path(folder),
        tasks,
        mark=fingerprint(contents, ("interference", method)),
        manifest=manifest_of((old,), config, contents),
        workers=workers,
        follow=follow,
    )
    return Inspection(run, contents, incomplete(run, (old,)))


def _meet(
    first: Pair, second: Pair, blocks: tuple[Block, ...], step: int, method: Method
) -> Measured:
    result = Measured()
    for block in blocks:
        try:
            a, b = (
                dense(change_of(pair, pair.load(), block.view).delta) for pair in (first, second)
            )
            _add(result, a.double(), b.double(), block, step, method)
        except Exception as error:  # whatever one weight does, the others are to be measured
            result.add_failure(error, block.name, Source.UPDATE, step)
    return result


def _add(result: Measured, a: Tensor, b: Tensor, block: Block, step: int, method: Method) -> None:
    sizes = float(a.norm()), float(b.norm())
    values: dict[str, float | None] = dict.fromkeys(INTERFERENCE)
    if sizes[0] > 0:
        values["change_ratio"] = sizes[1] / sizes[0]
    if min(sizes) > 0:
        product = a * b
        total = float(product.abs().sum())
        values["change_cosine"] = float(product.sum()) / (sizes[0] * sizes[1])
        values["sign_conflict"] = abs(float(product.clamp(max=0).sum())) / total if total else None
        (u1, v1), (u2, v2) = (leading_directions(m, _count(m, method)) for m in (a, b))
        values["left_interference"] = overlap(u1, u2)
        values["right_interference"] = overlap(v1, v2)
    result.add_spectrum(spectrum(a + b, method=method), block.name, Source.UPDATE, step)
    add_measures(result, block.name, step, values, "one of the two did not change it")


def _count(change: Tensor, method: Method) -> int:
    rank = signal_rank(spectrum(change, method=method))
    return max(1, min(DIRECTIONS, rank or DIRECTIONS, *change.shape))
