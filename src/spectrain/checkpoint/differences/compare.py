"""Two checkpoints of one model, or a base and its adapter: what moved, in how many directions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from spectrain.checkpoint.content import Content, content_of, fingerprint
from spectrain.checkpoint.differences.changes import Change, Pair, change_of, parts_of
from spectrain.checkpoint.differences.directions import (
    DIRECTIONS,
    kept_rank,
    signal_rank,
)
from spectrain.checkpoint.differences.measures import CHANGES, add_measures
from spectrain.checkpoint.differences.names import aligned
from spectrain.checkpoint.finite import not_finite
from spectrain.checkpoint.inspect import Inspection, incomplete, manifest_of
from spectrain.checkpoint.measure import Measured
from spectrain.checkpoint.stored import Checkpoint, Product
from spectrain.checkpoint.stream import Follow, Task, stream
from spectrain.core import Block, InputError, Skipped, Source, View
from spectrain.matrix import SpectrumStatus, frobenius_norm
from spectrain.matrix.backends import Method


def compare_checkpoints(
    before: Checkpoint,
    after: Checkpoint,
    folder: str | os.PathLike[str],
    *,
    share: float = 0.9,
    method: Method = "auto",
    by_shape: bool = False,
    workers: int = 1,
    follow: Follow | None = None,
) -> Inspection:
    """Measure W₁ − W₀ of every block that two checkpoints have in common.

    The records have source ``update``: all spectral measures of W₁ − W₀; ``relative_change`` =
    ‖W₁ − W₀‖_F/‖W₀‖_F; ``left_overlap`` and ``right_overlap`` of the leading singular directions
    (:func:`~spectrain.checkpoint.differences.directions.overlap`); ``lora_rank``, the least rank
    that keeps ``share`` of ‖W₁ − W₀‖_F²; ``signal_rank``, the singular values that white noise does
    not account for; ``module_rank``, the ``lora_rank`` of the whole module where blocks are its
    parts. Where ``after`` is an adapter, its changes are compared with the weights that they adapt.

    Args:
        before: W₀.
        after: W₁, or an adapter of W₀.
        folder: run folder for the records.
        share: part of the change that an adapter is to keep.
        method: back end of :func:`~spectrain.matrix.spectrum`.
        by_shape: pair weights without a namesake by shape and order.
        workers: threads.
        follow: shows progress.

    Raises:
        InputError: ``share`` is not within (0, 1], the checkpoints have no block in common, or the
            folder holds something else.
    """
    if not 0 < share <= 1:
        raise InputError(f"share is {share}", remedy="pass a number above 0, at most 1")
    if _is_adapter(before) and not _is_adapter(after):
        raise InputError(
            f"{before.path.name!r} is an adapter and {after.path.name!r} a model",
            remedy="pass the base model first, then the adapter",
        )
    before, after = aligned(before, after, by_shape=by_shape)
    adapter = _is_adapter(after) and not _is_adapter(before)
    old, new = content_of(before), content_of(after)
    pairs = pair_weights(old, new, adapter=adapter)
    if not pairs and adapter and after.missing:
        raise InputError(
            f"{after.path.name!r}: {after.missing[0].reason}",
            remedy="compare the merged model with its base",
        )
    if not pairs:
        raise InputError(
            f"{before.path.name!r} and {after.path.name!r} have no block in common",
            remedy="pass two checkpoints of one model, or --by-shape if it was renamed",
        )
    contents = (old, new)
    config = {"method": method, "share": share, "directions": DIRECTIONS, "difference": True}
    tasks = [
        Task(
            new.step,
            tuple(block.name for block in blocks),
            partial(_compare, pair, blocks, new.step, share=share, method=method),
        )
        for pair, blocks in pairs
    ]
    run = stream(
        Path(folder),
        tasks,
        mark=fingerprint(contents, ("difference", method, share, by_shape)),
        manifest=manifest_of((old,) if adapter else contents, config, contents),
        workers=workers,
        follow=follow,
    )
    onto = after.onto if adapter else {}
    lost = [
        skip
        for skip in incomplete(run, (replace(new, missing=()), old))
        if not (adapter and skip.parameter in onto)
    ]
    absent = [skip for skip in new.missing if skip.parameter not in onto]
    unmatched = () if adapter else _unmatched(old, new)
    return Inspection(run, contents, (*not_finite(contents), *lost, *absent, *unmatched))


def _is_adapter(checkpoint: Checkpoint) -> bool:
    return checkpoint.format.endswith("adapter")


def pair_weights(
    old: Content, new: Content, *, adapter: bool
) -> list[tuple[Pair, tuple[Block, ...]]]:
    """Every weight that two checkpoints share, with its blocks of one shape."""
    stored = {item.name: item for item in old.checkpoint.tensors}
    if not adapter:
        shapes = {block.name: block.shape for block in old.blocks}
        shared = [
            (Pair(stored[item.name], item), common)
            for item, blocks in new.tasks()
            if item.name in stored
            and (common := tuple(b for b in blocks if shapes.get(b.name) == b.shape))
        ]
        return shared
    changes = {item.name: item for item in new.checkpoint.tensors}
    onto = new.checkpoint.onto
    pairs = []
    for item, blocks in old.tasks():
        if item.name in onto:
            pairs.append((Pair(item, None, onto=onto[item.name]), blocks))
        elif item.name in changes:
            change = changes[item.name]
            whole = change.note is None or "adapter" not in change.note
            pairs.append((Pair(item, change, adapter=not whole), blocks))
    return pairs


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
    pair: Pair,
    blocks: tuple[Block, ...],
    step: int,
    *,
    share: float,
    method: Method,
) -> Measured:
    result = Measured()
    loaded: tuple[Tensor | Product, Tensor | Product | None] | None
    try:
        loaded = pair.load()
    except Exception as error:  # whatever one weight does, the others are to be measured
        for block in blocks:
            result.add_failure(error, block.name, Source.UPDATE, step)
        return result
    module: float | None = None
    if parts_of(blocks):
        try:
            view = View(transpose=blocks[0].view.transpose)
            module = float(kept_rank(change_of(pair, loaded, view).spectrum(method), share))
        except Exception:  # the blocks themselves tell why
            module = None
    for block in blocks:
        try:
            assert loaded is not None
            last = block is blocks[-1]
            change = change_of(pair, loaded, block.view, directions=DIRECTIONS, last=last)
            if last:
                loaded = None  # the change alone is needed now
            _add_change(result, change, block, step, share, method, module)
        except Exception as error:
            result.add_failure(error, block.name, Source.UPDATE, step)
    return result


def _add_change(
    result: Measured,
    change: Change,
    block: Block,
    step: int,
    share: float,
    method: Method,
    module: float | None,
) -> None:
    s = change.spectrum(method)
    left = right = None
    if int(s.status) == SpectrumStatus.ZERO:
        left = right = 1.0
    elif int(s.status) == SpectrumStatus.OK and change.overlaps is not None:
        left, right = change.overlaps
    result.add_spectrum(s, block.name, Source.UPDATE, step)
    finite = int(s.status) != SpectrumStatus.NOT_FINITE
    rank = float(kept_rank(s, share)) if finite else None
    signal = signal_rank(s, change.rounding) if finite else None
    relative = frobenius_norm(s).item() / change.norm if change.norm > 0 else None
    values = (relative, left, right, rank, signal, rank if module is None else module)
    reason = s.reasons[0] or "not defined for this block"
    add_measures(result, block.name, step, dict(zip(CHANGES, values, strict=True)), reason)
