"""Rank: whether the effective rank of the gradients is falling, and whether learning goes with it.

Per block, role and depth: the effective rank exp H(σ) as a share of the full rank min(m, n) is
tested for a monotone trend. The first twentieth of the run is left out, where initialisation and
warm-up show and blocks that began at zero gain a rank. The false discovery rate over blocks (and
over roles, and over depths) is held at 5 % by the procedure of Benjamini and Hochberg.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import numpy as np
import polars as pl

from spectrain.answers.denoised import read_denoised
from spectrain.answers.discoveries import q_values
from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.loss import loss_course
from spectrain.answers.phrases import plural
from spectrain.answers.rank import words
from spectrain.answers.rank.health import gradient_health, loss_not_finite_at
from spectrain.answers.rank.row import RankGroup, RankRow, Verdict
from spectrain.answers.rank.stagnation import Link, link
from spectrain.answers.series import by_block, read_reasons, read_series
from spectrain.answers.trend import ENOUGH, LEVEL, shift_interval, trend
from spectrain.core import Block, Source
from spectrain.records import Run

TRANSIENT = 0.05
"""Share of the run, at its beginning, that is left out."""

_SEED = 0
C = TypeVar("C", RankRow, RankGroup)


def rank(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[RankRow, RankGroup]:
    """Test the effective rank of every block's gradient for a trend through training.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block and a group for every role and depth: verdict, the
        share of full rank early (first third of the samples) and late (last third), the change
        between them with its 95 % interval, Spearman's ρ with time, p-value and q-value; and every
        block's row holds what :func:`spectrain.answers.rank.health.gradient_health` returns. The
        limits say whether the pace of learning goes with the rank of the median block.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    shares = by_block(read_shares(run, chosen))
    reasons = dict(read_reasons(run, Source.GRADIENT, "effective_rank"))
    healths, signals = gradient_health(run, chosen), read_denoised(run, chosen)
    rows = _judge(
        RankRow(
            **about(block),
            **asdict(healths[block.name]),
            **_signal(signals.get(block.name), min(block.shape)),
            **_tested(
                shares.get(block.name), reasons.get(block.name, "no gradient of it is recorded")
            ),
        )
        for block in chosen
    )
    groups = [*_grouped(chosen, shares, "role"), *_grouped(chosen, shares, "depth")]
    judged = [row for row in rows if row.verdict is not Verdict.UNKNOWN]
    trending = [row for row in judged if row.verdict is not Verdict.NO_TREND]
    broken = loss_not_finite_at(run)
    losses, paced = loss_course(run), _with_progress(run, shares.values())
    return Finding(
        name="rank",
        question="Is the effective rank of the gradients falling?",
        status=Status.ANSWERED if trending else Status.OPEN if judged else Status.NOT_ENOUGH_DATA,
        **words.brief(rows, broken, losses),
        statement=words.statement(rows, broken),
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=tuple(rows),
        groups=tuple(groups),
        advice=(*words.health_advice(rows, broken), *words.advice(judged, groups)),
        limits=tuple(words.limits(judged, losses, paced)),
    )


def read_shares(run: Run, blocks: Sequence[Block]) -> pl.DataFrame:
    """Effective rank of the gradients over min(m, n).

    Returns:
        Columns block, step, share, by step.
    """
    full = pl.DataFrame(
        {
            "block": [block.name for block in blocks],
            "full": [min(block.shape) for block in blocks],
        },
        schema={"block": pl.String, "full": pl.Int64},
    )
    return (
        read_series(run, Source.GRADIENT, "effective_rank")
        .join(full, on="block")
        .filter(pl.col("value") > 0)
        .select("block", "step", share=pl.col("value") / pl.col("full"))
        .sort("step")
    )


def _signal(samples: pl.DataFrame | None, full: int) -> dict[str, Any]:
    """Early and late share of the signal alone."""
    if samples is None:
        return {}
    values = samples["effective_rank"].to_numpy() / full
    third = max(len(values) // 3, 1)
    return {
        "early_signal": float(np.median(values[:third])),
        "late_signal": float(np.median(values[-third:])),
    }


def _tested(samples: pl.DataFrame | None, missing: str) -> dict[str, Any]:
    """What one series of shares shows; ``reason`` tells why it shows nothing."""
    if samples is None:
        return {"reason": missing}
    samples = samples.filter(pl.col("step") >= TRANSIENT * pl.col("step").max())
    values = samples["share"].to_numpy()
    third = max(len(values) // 3, 1)
    course = {
        "samples": len(values),
        "early": float(np.median(values[:third])),
        "late": float(np.median(values[-third:])),
        "window": (samples["step"][0], samples["step"][-1]),
    }
    if len(values) < ENOUGH:
        seen = plural(len(values), "sample")
        few = f"{seen} after the first twentieth of the run, {ENOUGH} are needed"
        return course | {"reason": few}
    tested = trend(values, np.random.default_rng(_SEED))
    change, low, high = _change(np.log(values))
    return course | {
        "change": change,
        "low": low,
        "high": high,
        "rho": tested.rho,
        "p_value": tested.p_value,
        "autocorrelation": tested.autocorrelation,
    }


def _change(
    logs: np.ndarray[Any, np.dtype[np.float64]],
) -> tuple[float, float | None, float | None]:
    """Late over early median; an interval where both thirds are long enough for one."""
    third = max(len(logs) // 3, 1)
    early, late = logs[:third], logs[-third:]
    if third < ENOUGH:
        return float(np.exp(np.median(late) - np.median(early))), None, None
    shift, low, high = np.exp(shift_interval(early, late, np.random.default_rng(_SEED)))
    return float(shift), float(low), float(high)


def _judge(courses: Iterable[C]) -> list[C]:
    """Add q-values (Benjamini–Hochberg over these courses) and verdicts."""
    given = list(courses)
    p_values = [course.p_value for course in given if course.p_value is not None]
    q = iter(q_values(p_values))
    return [
        course if course.p_value is None else _decided(course, float(next(q))) for course in given
    ]


def _decided(course: C, q_value: float) -> C:
    direction = Verdict.FALLING if (course.rho or 0.0) < 0 else Verdict.RISING
    verdict = direction if q_value <= 1 - LEVEL else Verdict.NO_TREND
    return replace(course, q_value=q_value, verdict=verdict)


def _grouped(
    blocks: Sequence[Block], shares: Mapping[str, pl.DataFrame], key: str
) -> list[RankGroup]:
    """The median block of every role or depth, tested likewise."""
    members: dict[Any, list[Block]] = {}
    for block in blocks:
        members.setdefault(getattr(block, key), []).append(block)
    members.pop(None, None)
    groups = []
    for value, those in members.items():
        frames = [shares[block.name] for block in those if block.name in shares]
        median = (
            pl.concat(frames).group_by("step").agg(pl.col("share").median()).sort("step")
            if frames
            else None
        )
        tested = _tested(median, "no gradient of them is recorded")
        groups.append(RankGroup(**{key: value}, blocks=len(frames), **tested))
    return _judge(groups)


def _with_progress(run: Run, shares: Iterable[pl.DataFrame]) -> Link | None:
    """The rank of the median block against the pace at which the logged loss falls.

    The pace of a sample is the mean loss of the stretch before it minus that of the stretch after
    it, each from one sample to the next. The first sample has none: what lies before it is of
    another length.
    """
    frames = list(shares)
    losses = read_series(run, Source.TRAINING, "loss")
    if not frames or losses.is_empty():
        return None
    median = pl.concat(frames).group_by("step").agg(pl.col("share").median()).sort("step")
    median = median.filter(pl.col("step") >= TRANSIENT * pl.col("step").max())
    steps, course = median["step"].to_numpy(), np.log(median["share"].to_numpy())
    at, values = losses["step"].to_numpy(), losses["value"].to_numpy()
    cuts = np.searchsorted(at, steps)
    stretches = [part.mean() if len(part) else np.nan for part in np.split(values, cuts)]
    pace = np.asarray(stretches[1:-1]) - np.asarray(stretches[2:])
    kept = np.isfinite(pace)
    return link(course[1:][kept], pace[kept], np.random.default_rng(_SEED))
