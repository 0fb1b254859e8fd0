"""At which cut a gradient is best orthogonalized: fused, apart, per head, per expert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
import torch

from spectrain.answers.series import read_series
from spectrain.answers.trend import ENOUGH, median_interval
from spectrain.core import Block, Role, Source
from spectrain.descent.granularity import cut_guarantee, experts_guarantee
from spectrain.records import Run

_SEED = 0
_SAME = 0.01
"""Stable ranks of one activation may be sketched; farther apart, the activations differ."""


class Granularity(StrEnum):
    """How a parameter's gradient is cut before it is orthogonalized.

    ``ANY``: the Euclidean step, which no cut changes, is guaranteed most.
    """

    FUSED = "fused"
    APART = "apart"
    HEADS = "per head"
    EXPERTS = "per expert"
    STACKED = "experts as one"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Cuts:
    """The guarantees of the cuts of one parameter, medians over the last third of the samples.

    Attributes:
        values: by cut; for experts nuclear ranks, else in units of the Euclidean guarantee.
        favoured: the cut of the largest value.
        gain: its value over that of the next.
        low, high: 95 % interval of the gain; ``None`` below 8 samples.
    """

    values: Mapping[Granularity, float]
    favoured: Granularity
    gain: float
    low: float | None
    high: float | None


def read_cuts(run: Run, ratios: pl.DataFrame) -> dict[str, Cuts]:
    """The cuts of every parameter that has several, by the names of its blocks.

    Args:
        run: an open run.
        ratios: of :func:`~spectrain.answers.descent.read_ratios`.
    """
    parts: dict[str, list[Block]] = defaultdict(list)
    for block in run.blocks:
        parts[block.parameter].append(block)
    records = _records(run, ratios)
    by_block: dict[str, Cuts] = {}
    for blocks in parts.values():
        experts = blocks[0].role.kind == Role.EXPERT.kind
        samples = _experts(blocks, records) if experts else _rows(blocks, records)
        if samples is not None and (cuts := _compared(samples)) is not None:
            by_block |= dict.fromkeys((block.name for block in blocks), cuts)
    return by_block


def _records(run: Run, ratios: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Measures of the gradient as tables: a row a step, a column a block."""
    ranks = ("nuclear_rank", "nuclear_rank_fused", "nuclear_rank_heads")
    names = ("frobenius_norm", "nuclear_norm", *ranks)
    series = {name: read_series(run, Source.GRADIENT, name) for name in names}
    series["stable_rank"] = ratios.rename({"stable_rank": "value"})
    return {
        name: frame.select("block", "step", "value").pivot("block", index="step", values="value")
        for name, frame in series.items()
    }


def _rows(
    blocks: Sequence[Block], records: Mapping[str, pl.DataFrame]
) -> dict[Granularity, np.ndarray] | None:
    """Guarantees of parts that are rows of one parameter, or of one block and its heads."""
    names = [block.name for block in blocks]
    wanted = ("frobenius_norm", "nuclear_rank", "stable_rank")
    finer = {Granularity.FUSED: "nuclear_rank_fused", Granularity.HEADS: "nuclear_rank_heads"}
    recorded = {cut: m for cut, m in finer.items() if set(names) <= set(records[m].columns)}
    if not recorded or any(not set(names) <= set(records[m].columns) for m in wanted):
        return None
    norms, ranks, stable, *more = _aligned(records, (*wanted, *recorded.values()), names)
    energies = torch.from_numpy(norms) ** 2
    shared = bool((stable.max(-1) <= (1 + _SAME) * stable.min(-1)).all())
    guarantees = {Granularity.APART: cut_guarantee(torch.from_numpy(ranks / stable), energies)}
    for cut, values in zip(recorded, more, strict=True):
        if cut is Granularity.HEADS or shared:
            guarantees[cut] = cut_guarantee(torch.from_numpy(values / stable), energies)
    return {cut: values.numpy() for cut, values in guarantees.items()}


def _experts(
    blocks: Sequence[Block], records: Mapping[str, pl.DataFrame]
) -> dict[Granularity, np.ndarray] | None:
    names = [block.name for block in blocks]
    wanted = ("frobenius_norm", "nuclear_norm", "nuclear_rank_fused")
    if any(not set(names) <= set(records[measure].columns) for measure in wanted):
        return None
    norms, nuclear, stacked = _aligned(records, wanted, names)
    apart = experts_guarantee(torch.from_numpy(nuclear), torch.from_numpy(norms) ** 2)
    return {Granularity.EXPERTS: apart.numpy(), Granularity.STACKED: stacked[:, 0]}


def _aligned(
    records: Mapping[str, pl.DataFrame], measures: Sequence[str], names: Sequence[str]
) -> list[np.ndarray]:
    """Tables steps × blocks over the steps at which every measure of every block is there."""
    frames = [records[measure].select("step", *names).drop_nulls() for measure in measures]
    steps = frames[0].select("step")
    for frame in frames[1:]:
        steps = steps.join(frame, on="step", how="semi")
    return [
        frame.join(steps, on="step", how="semi").sort("step").drop("step").to_numpy(writable=True)
        for frame in frames
    ]


def _compared(samples: Mapping[Granularity, np.ndarray]) -> Cuts | None:
    if len(samples) < 2 or not len(next(iter(samples.values()))):
        return None
    count = len(next(iter(samples.values())))
    recent = {cut: values[-max(ENOUGH, count // 3) :] for cut, values in samples.items()}
    medians = {cut: float(np.median(values)) for cut, values in recent.items()}
    best, second = sorted(medians, key=medians.__getitem__, reverse=True)[:2]
    logs = np.log(recent[best] / recent[second])
    low = high = None
    gain = float(np.exp(np.median(logs)))
    if count >= ENOUGH:
        interval = median_interval(logs, np.random.default_rng(_SEED))
        gain, low, high = (float(end) for end in np.exp(interval))
    indifferent = medians[best] == 1.0 and Granularity.EXPERTS not in medians
    return Cuts(medians, Granularity.ANY if indifferent else best, gain, low, high)
