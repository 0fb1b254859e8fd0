"""Noise: how much of each gradient is signal, and of what kind the noise is.

Replicas of the gradient (accumulation microbatches, ranks, or those of ``measure_noise``) give the
energy of the signal and of the noise of every block. Their ratio, averaged over the last third of
the samples before it is divided, is the noise scale: the batch size at which both are even
(McCandlish et al. 2018). Singular directions, where they were measured, say which of them the
replicas confirm and whether the noise falls on all alike or in proportion to the signal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from spectrain.answers.finding import Finding, Label, Status
from spectrain.answers.noise import words
from spectrain.answers.noise.row import Verdict
from spectrain.answers.noise.samples import (
    Directions,
    noise_scale_of,
    read_directions,
    read_energies,
    signal_to_noise_of,
    why_no_replicas,
)
from spectrain.answers.series import by_block, read_reasons
from spectrain.answers.trend import ENOUGH
from spectrain.answers.untyped import Untyped, brief
from spectrain.core import Block, Source
from spectrain.records import Run

KINDS = ("isotropic additive", "signal-proportional")
"""Kinds of noise that a comparison may name; anything else is undecided."""


def noise(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[Any, Any]:
    """Signal, noise scale, directions and kind of noise of every block.

    A block is *mostly noise* where the 90 % interval of its noise scale lies above the batch size
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
    found = read_directions(run)
    reasons = _reasons(run)
    rows = tuple(
        Untyped(
            _row(block, samples.get(block.name), found.get(block.name, ()), reasons.get(block.name))
        )
        for block in chosen
    )
    judged = [row for row in rows if row["noise_scale"] is not None or row["snr"] is not None]
    network = _pooled(energies.filter(pl.col("block").is_null()))
    decided = [row for row in judged if row["verdict"] in (Verdict.NOISE, Verdict.SIGNAL)]
    status = Status.ANSWERED if decided else Status.OPEN if judged else Status.NOT_ENOUGH_DATA
    statement = words.statement(rows, network)
    advice = tuple(words.advice(judged, network))
    return Finding(
        name="noise",
        question="How much of each gradient is signal, and of what kind is the noise?",
        status=status,
        **brief(status, statement, advice),
        statement=statement,
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=rows,
        groups=tuple(
            Untyped(group)
            for group in (
                *_by_role(chosen, samples),
                *([{"network": True} | network] if network else []),
            )
        ),
        advice=advice,
        limits=tuple(words.limits(judged)),
    )


def _row(
    block: Block, samples: pl.DataFrame | None, found: Sequence[Directions], reason: str | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "block": block.name,
        "role": str(block.role),
        "depth": block.depth,
        "shape": list(block.shape),
        "verdict": Verdict.UNKNOWN,
        "snr": None,
        "noise_scale": None,
        "low": None,
        "high": None,
        "unit": None,
        "batch": None,
        "samples": 0,
        "window": None,
        "reason": reason,
        **_directional(found),
    }
    return row | (_pooled(samples) if samples is not None else {})


def _pooled(samples: pl.DataFrame) -> dict[str, Any]:
    """Noise scale over the last third, against the batch of a step."""
    if samples.is_empty():
        return {}
    recent = samples.tail(max(ENOUGH, samples.height // 3))
    ratio, scale = signal_to_noise_of(recent), noise_scale_of(recent)
    replicas = float(recent["replicas"][-1])
    known = recent["examples"][-1]
    batch = replicas * (1.0 if known is None else float(known))
    return {
        "verdict": _verdict(scale.low, scale.high, batch),
        "snr": None if ratio.value is None else ratio.value * replicas,
        "noise_scale": words.finite(scale.value),
        "low": words.finite(scale.low),
        "high": words.finite(scale.high),
        "unit": "microbatches" if known is None else "examples",
        "batch": batch,
        "samples": samples.height,
        "window": [recent["step"][0], recent["step"][-1]],
        "reason": scale.reason,
    }


def _verdict(low: float | None, high: float | None, batch: float) -> Verdict:
    if low is None or high is None:
        return Verdict.OPEN
    if low > batch:
        return Verdict.NOISE
    return Verdict.SIGNAL if high < batch else Verdict.OPEN


def _directional(found: Sequence[Directions]) -> dict[str, Any]:
    """What the last sample says of directions, and all samples of the kind of noise."""
    names = ("zeta_emp", "zeta_pred", "eta_mult", "gamma_echo", "product_coupling")
    if not found:
        return {"directions": None, "signal_directions": None, "kind": None} | dict.fromkeys(names)
    last, kinds = found[-1], Counter(one.kind for one in found if one.kind in KINDS)
    return {
        "directions": len(last.sigma),
        "signal_directions": last.signal if last.replicas >= 4 else None,
        "kind": next(iter(kinds)) if len(kinds) == 1 else "undecided",
        **{name: last.values.get(name) for name in names},
    }


def _by_role(blocks: Sequence[Block], samples: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """Blocks of a role taken as one gradient: energies add at each step that has all of them."""
    groups = []
    for role in dict.fromkeys(str(block.role) for block in blocks):
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
        groups.append({"role": role, "blocks": len(frames)} | _pooled(whole))
    return groups


def _reasons(run: Run) -> dict[str, str]:
    """Why a block has no noise records."""
    refused = why_no_replicas(run)
    lacking = refused or "its gradients came from one backward pass a step"
    found = {block.name: lacking for block in run.blocks}
    if refused:
        return found
    for measure in ("zeta_emp", "snr_unbiased"):
        found |= dict(read_reasons(run, Source.NOISE, measure))
    return found
