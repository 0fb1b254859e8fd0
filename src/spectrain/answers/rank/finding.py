"""Rank: whether the effective rank of the gradients is falling, and whether learning goes with it.

Per block, role and depth: the effective rank exp H(σ) as a share of the full rank min(m, n) is
tested for a monotone trend. The first twentieth of the run is left out, where initialisation and
warm-up show and blocks that began at zero gain a rank. The false discovery rate over blocks (and
over roles, and over depths) is held at 5 % by the procedure of Benjamini and Hochberg.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control

from spectrain.answers.finding import Finding, Label, Status
from spectrain.answers.rank import words
from spectrain.answers.rank.health import health
from spectrain.answers.rank.row import Verdict
from spectrain.answers.rank.stagnation import Lagged, lagged
from spectrain.answers.series import by_block, read_reasons, read_series
from spectrain.answers.trend import ENOUGH, LEVEL, shift_interval, trend
from spectrain.answers.untyped import Untyped, brief
from spectrain.core import Block, Source
from spectrain.records import Run

TRANSIENT = 0.05
"""Share of the run, at its beginning, that is left out."""

_SEED = 0
_LOSSES = 64


def rank(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[Any, Any]:
    """Test the effective rank of every block's gradient for a trend through training.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block and a group for every role and depth: verdict, the
        share of full rank early (first third of the samples) and late (last third), the change
        between them with its 95 % interval, Spearman's ρ with time, p-value and q-value; and every
        block's row tells what :func:`spectrain.answers.rank.health.health` does. The limits tell
        whether the pace of learning goes with the rank of the median block.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    shares = by_block(read_shares(run, chosen))
    reasons = dict(read_reasons(run, Source.GRADIENT, "effective_rank"))
    healths = health(run, chosen)
    rows = _judge(
        {
            "block": block.name,
            "role": str(block.role),
            "depth": block.depth,
            "shape": list(block.shape),
            "reason": reasons.get(block.name, "no gradient of it is recorded"),
            **healths[block.name],
            **_test(shares.get(block.name)),
        }
        for block in chosen
    )
    roles = _grouped(chosen, shares, "role")
    depths = _grouped(chosen, shares, "depth")
    judged = [row for row in rows if row["verdict"] != Verdict.UNKNOWN]
    found = [row for row in judged if row["verdict"] != Verdict.NO_TREND]
    losses = _losses(run)
    status = Status.ANSWERED if found else Status.OPEN if judged else Status.NOT_ENOUGH_DATA
    statement = words.statement(rows)
    advice = (*words.advice(judged, depths), *words.health(rows))
    return Finding(
        name="rank",
        question="Is the effective rank of the gradients falling?",
        status=status,
        **brief(status, statement, advice),
        statement=statement,
        confidence=words.confidence(judged),
        label=Label.TEST,
        rows=tuple(rows),
        groups=(*roles, *depths),
        advice=advice,
        limits=tuple(
            words.limits(judged, _loss_trend(losses), _with_progress(run, shares.values()))
        ),
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


def _test(samples: pl.DataFrame | None) -> dict[str, Any]:
    """What one series of shares shows; ``reason`` tells where it is too short."""
    empty: dict[str, Any] = dict.fromkeys(
        ("early", "late", "change", "low", "high", "rho", "p_value", "autocorrelation", "window")
    )
    if samples is None:
        return empty | {"samples": 0}
    samples = samples.filter(pl.col("step") >= TRANSIENT * pl.col("step").max())
    values = samples["share"].to_numpy()
    third = max(len(values) // 3, 1)
    empty |= {
        "samples": len(values),
        "early": float(np.median(values[:third])),
        "late": float(np.median(values[-third:])),
        "window": [samples["step"][0], samples["step"][-1]],
    }
    if len(values) < ENOUGH:
        few = f"{len(values)} samples after the first twentieth of the run, {ENOUGH} are needed"
        return empty | {"reason": few}
    found = trend(values, np.random.default_rng(_SEED))
    change, low, high = _change(np.log(values))
    return empty | {
        "change": change,
        "low": low,
        "high": high,
        "rho": found.rho,
        "p_value": found.p_value,
        "autocorrelation": found.autocorrelation,
        "reason": None,
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


def _judge(rows: Iterable[dict[str, Any]]) -> list[Untyped]:
    """Add q-values (Benjamini–Hochberg over these rows) and verdicts."""
    made = [Untyped(row) for row in rows]
    tested = [row for row in made if row["p_value"] is not None]
    q_values = false_discovery_control([row["p_value"] for row in tested]) if tested else ()
    for row in made:
        row |= {"q_value": None, "verdict": Verdict.UNKNOWN}
    for row, q_value in zip(tested, q_values, strict=True):
        direction = Verdict.FALLING if row["rho"] < 0 else Verdict.RISING
        row |= {
            "q_value": float(q_value),
            "verdict": direction if q_value <= 1 - LEVEL else Verdict.NO_TREND,
        }
    return made


def _grouped(
    blocks: Sequence[Block], shares: Mapping[str, pl.DataFrame], key: str
) -> list[Untyped]:
    """The median block of every role or depth, tested likewise."""
    members: dict[Any, list[Block]] = {}
    for block in blocks:
        members.setdefault(getattr(block, key), []).append(block)
    members.pop(None, None)
    rows = []
    for value, group in members.items():
        frames = [shares[block.name] for block in group if block.name in shares]
        median = (
            pl.concat(frames).group_by("step").agg(pl.col("share").median()).sort("step")
            if frames
            else None
        )
        rows.append({key: value, "blocks": len(frames), **_test(median)})
    return _judge(rows)


def _losses(run: Run) -> pl.DataFrame:
    """The logged loss, averaged in at most 64 stretches of equal length."""
    losses = read_series(run, Source.TRAINING, "loss")
    stretch = -(-losses.height // _LOSSES) or 1
    return (
        losses.with_row_index()
        .group_by(pl.col("index") // stretch, maintain_order=True)
        .agg(pl.col("step").last(), pl.col("value").mean())
    )


def _with_progress(run: Run, shares: Iterable[pl.DataFrame]) -> Lagged | None:
    """The rank of the median block against the pace at which the logged loss falls.

    The pace of a sample is the mean loss of the stretch before it minus that of the stretch after
    it, each from one sample to the next.
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
    pace = np.asarray(stretches[:-1]) - np.asarray(stretches[1:])
    kept = np.isfinite(pace)
    return lagged(course[kept], pace[kept], np.random.default_rng(_SEED))


def _loss_trend(losses: pl.DataFrame) -> str | None:
    """Whether learning goes on in the second half of the run; ``None`` where that is not known."""
    late = losses["value"].to_numpy()[losses.height // 2 :]
    if len(late) < ENOUGH:
        return None
    found = trend(late, np.random.default_rng(_SEED))
    if found.p_value > 1 - LEVEL:
        return "level"
    return "falling" if found.rho < 0 else "rising"
