"""Noise: how much of each gradient is signal, and of what kind the noise is.

Replicas of the gradient (accumulation microbatches, ranks, or those of ``measure_noise``) give the
energy of the signal and of the noise of every block. Their ratio, averaged over the last third of
the samples before it is divided, is the noise scale: the batch size at which both are even
(McCandlish et al. 2018). Singular directions, where they were measured, say which of them the
replicas confirm and whether the noise falls on all alike or in proportion to the signal: both are
decided over the samples together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite
from statistics import mean, median, stdev
from typing import Any

import polars as pl

from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.noise import words
from spectrain.answers.noise.row import Kind, NoiseGroup, NoiseRow, Scale, Verdict
from spectrain.answers.noise.samples import (
    Directions,
    noise_scale_of,
    read_directions,
    read_energies,
    read_lost,
    signal_to_noise_of,
    tokens_per_example,
    why_no_replicas,
)
from spectrain.answers.series import by_block, read_reasons
from spectrain.answers.trend import ENOUGH
from spectrain.core import Block, Source
from spectrain.noise import batch_cost, pooled_count, pooled_kind
from spectrain.noise.pooling import RESOLVED
from spectrain.records import Run

EVEN = 0.8
"""Evenness above which additive noise may be called isotropic: a spread of scales by less than a
half of their mean."""

_MEDIANS = ("zeta_emp", "zeta_pred", "eta_mult", "gamma_echo", "product_coupling")


def noise(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[NoiseRow, NoiseGroup]:
    """Signal, noise scale, directions and kind of noise of every block.

    A block is *mostly noise* where the 95 % interval of its noise scale lies above the batch size
    of a step, *mostly signal* where it lies below, and *open* otherwise.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block, a group for every role and one for the network.

    Source:
        McCandlish et al. 2018, §2 and appendix A; “Multiplicative noise model for minibatch
        gradients” for directions.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    energies = read_energies(run)
    samples = by_block(energies.filter(pl.col("block").is_not_null()))
    directions, lost, reasons = read_directions(run), read_lost(run), _reasons(run)
    tokens = tokens_per_example(run)
    rows = tuple(
        _row(
            block,
            _scale(samples.get(block.name), lost.get(block.name, ()), tokens),
            directions.get(block.name, ()),
            reasons.get(block.name),
        )
        for block in chosen
    )
    judged = [row for row in rows if row.noise_scale is not None or row.snr is not None]
    network = _scale(energies.filter(pl.col("block").is_null()), lost.get(None, ()), tokens)
    decided = [row for row in judged if row.verdict in (Verdict.NOISE, Verdict.SIGNAL)]
    groups = _by_role(chosen, samples, tokens)
    if network.samples:
        groups.append(NoiseGroup(blocks=len(chosen), network=True, scale=network))
    return Finding(
        name="noise",
        question="How much of each gradient is signal, and of what kind is the noise?",
        status=Status.ANSWERED if decided else Status.OPEN if judged else Status.NOT_ENOUGH_DATA,
        sign=words.sign(rows, network),
        sentence=words.sentence(rows, network),
        action=words.action(rows, network),
        statement=words.statement(rows, network),
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=rows,
        groups=tuple(groups),
        advice=tuple(words.advice(judged, network)),
        limits=tuple(words.limits(rows, judged, network)),
    )


def _row(
    block: Block, scale: Scale, directions: Sequence[Directions], reason: str | None
) -> NoiseRow:
    lacking = reason if scale.snr is None else None
    known = replace(scale, reason=scale.reason or lacking)
    row = NoiseRow(**about(block), **asdict(known))
    return replace(row, **_directional(directions, row)) if directions else row


def _scale(samples: pl.DataFrame | None, lost: tuple[int, ...], tokens: float | None) -> Scale:
    """Noise scale over the last third, against the batch of a step."""
    if samples is None or samples.is_empty():
        if not lost:
            return Scale()
        return Scale(verdict=Verdict.NOT_FINITE, lost=lost, reason=words.not_finite(lost))
    recent = samples.tail(max(ENOUGH, samples.height // 3))
    ratio, scale = signal_to_noise_of(recent), noise_scale_of(recent)
    replicas, known = float(recent["replicas"][-1]), recent["examples"][-1]
    batch = replicas * (1.0 if known is None else float(known))
    value = words.finite(scale.value)
    cost = batch_cost(batch, value) if value is not None and value > 0 else None
    return Scale(
        verdict=_verdict(scale.low, scale.high, batch),
        snr=None if ratio.value is None else ratio.value * replicas,
        noise_scale=value,
        low=words.finite(scale.low),
        high=words.finite(scale.high),
        unit="microbatches" if known is None else "examples",
        tokens=None if known is None or tokens is None or value is None else tokens * value,
        batch=batch,
        steps_cost=None if cost is None else cost.steps,
        examples_cost=None if cost is None else cost.examples,
        samples=samples.height,
        window=(recent["step"][0], recent["step"][-1]),
        lost=lost,
        reason=scale.reason,
    )


def _verdict(low: float | None, high: float | None, batch: float) -> Verdict:
    if low is None or high is None:
        return Verdict.OPEN
    if low > batch:
        return Verdict.NOISE
    return Verdict.SIGNAL if high < batch else Verdict.OPEN


def _directional(samples: Sequence[Directions], row: NoiseRow) -> dict[str, Any]:
    """What the samples of the last third say of directions and of the kind of noise together."""
    recent = samples[-max(ENOUGH, len(samples) // 3) :]
    tested = [one for one in recent if one.p]
    signal = pooled_count([one.p for one in tested]) if _can_decide(tested) else None
    counts = [one.signal for one in tested if one.decides]
    evenness = _median(recent, "noise_evenness")
    kind, agreeing = _kind(recent, signal, evenness)
    ratio = _median(recent, "snr_orthogonalized")
    replica = None if row.batch is None else row.batch / recent[-1].replicas
    return {
        "directions": len(recent[-1].sigma),
        "signal_directions": signal,
        "signal_mean": mean(counts) if counts else None,
        "signal_error": stdev(counts) / len(counts) ** 0.5 if len(counts) > 1 else None,
        "direction_samples": len(recent),
        "kind": kind,
        "kind_samples": agreeing,
        "evenness": evenness,
        "orthogonalized_scale": replica / ratio if replica and ratio and ratio > 0 else None,
        **{name: _median(recent, name) for name in _MEDIANS},
    }


def _can_decide(tested: Sequence[Directions]) -> bool:
    """Whether so many samples of so few replicas could establish a direction at all."""
    return pooled_count([[2.0 ** (1 - one.replicas)] for one in tested]) > 0


def _kind(
    recent: Sequence[Directions], signal: int | None, evenness: float | None
) -> tuple[Kind, int]:
    """The kind that most samples show, of those whose directions are signal."""
    said = [
        one.kind if (one.signal if one.decides else signal or 0) >= RESOLVED else "undecided"
        for one in recent
    ]
    most, agreeing = pooled_kind(said)
    kind = Kind(most)
    if kind is Kind.ISOTROPIC and evenness is not None and evenness < EVEN:
        return Kind.ADDITIVE, agreeing
    return kind, agreeing


def _median(samples: Sequence[Directions], name: str) -> float | None:
    values = [one.values[name] for one in samples if isfinite(one.values.get(name, float("nan")))]
    return median(values) if values else None


def _by_role(
    blocks: Sequence[Block], samples: Mapping[str, pl.DataFrame], tokens: float | None
) -> list[NoiseGroup]:
    """Blocks of a role taken as one gradient: energies add at each step that has all of them."""
    groups = []
    for role in dict.fromkeys(block.role for block in blocks):
        frames = [samples[b.name] for b in blocks if b.role == role and b.name in samples]
        if not frames:
            continue
        whole = (
            pl.concat(frames)
            .group_by("step")
            .agg(
                pl.col("signal_power", "noise_power").sum(),
                pl.col("replicas", "examples").median(),
                members=pl.len(),
            )
            .filter(pl.col("members") == len(frames))
            .sort("step")
        )
        groups.append(NoiseGroup(role=role, blocks=len(frames), scale=_scale(whole, (), tokens)))
    return groups


def _reasons(run: Run) -> dict[str, str]:
    """Why a block has no noise records."""
    refused = why_no_replicas(run)
    lacking = refused or "its gradients came from one backward pass a step"
    reasons = {block.name: lacking for block in run.blocks}
    if refused:
        return reasons
    for measure in ("zeta_emp", "snr_unbiased"):
        reasons |= dict(read_reasons(run, Source.NOISE, measure))
    return reasons
