"""Descent: which blocks should take spectral updates, and which Euclidean ones.

For least squares ½‖WA − Y‖²/n a spectral step with its natural length surely lowers the loss
further than a gradient step where nr(∇L) ≥ 2 st(A), and surely less where nr(∇L) ≤ ½ st(A)
(Davis & Drusvyatskiy, §1.2, with both sides of the quadratic bound). Between, the one-step
guarantees do not decide. For a block of a network the same ratio is a heuristic (their §1.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from spectrain.core import Block, Role, Source
from spectrain.descent import CLEAR, favoured
from spectrain.findings import descent_words as words
from spectrain.findings.course import course
from spectrain.findings.finding import Finding, Label, Status, Verdict
from spectrain.findings.granularity import Cuts, read_cuts
from spectrain.findings.measured_steps import MeasuredStep, read_measured
from spectrain.findings.series import by_block, read_reasons, read_series
from spectrain.findings.trend import ENOUGH, median_interval
from spectrain.records import Run

_SEED = 0
_NOTES = {
    Role.EMBEDDING: "fed by token indicators: st(A) = 1/(share of the commonest token)",
    Role.HEAD: "common practice leaves the head to Adam",
    Role.NORM: "diagonal: its spectral step is a sign step",
}


def descent(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding:
    """Compare the gradient's nuclear rank with the stable rank of what feeds each block.

    The ratio nr(G)/st(A) is that of the guaranteed one-step decreases of a spectral and of a
    gradient step. A block is *spectral* where the 95 % interval of its median over the last third
    of the samples lies at 2 or above, *euclidean* at ½ or below, and *open* otherwise.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block: verdict, ratio with its interval, course through
        training, the activation used and its columns, the granularity that the guarantees favour
        (:mod:`spectrain.descent.granularity`), and the decreases of
        :func:`spectrain.measure_steps` where they were measured.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    table = read_ratios(run)
    ratios, cuts, measured = by_block(table), read_cuts(run, table), read_measured(run)
    reasons = _reasons(run)
    rows = tuple(
        _row(block, ratios.get(block.name), reasons.get(block.name))
        | _cut(cuts.get(block.name))
        | _measured(measured.get(block.name))
        for block in chosen
    )
    judged = [row for row in rows if row["verdict"] != Verdict.UNKNOWN]
    decided = [row for row in judged if row["verdict"] != Verdict.OPEN]
    theorem = run.manifest["config"].get("objective") == "least squares" and len(run.blocks) == 1
    return Finding(
        name="descent",
        question="Which blocks should take spectral updates, and which Euclidean ones?",
        status=Status.ANSWERED if decided else Status.OPEN if judged else Status.NOT_ENOUGH_DATA,
        statement=words.statement(rows),
        confidence=words.confidence(judged),
        label=Label.THEOREM if theorem else Label.HEURISTIC,
        rows=rows,
        groups=tuple(_by_role(judged)),
        advice=tuple(words.advice(rows)),
        limits=tuple(words.limits(rows, _batch_sizes(run), theorem=theorem)),
    )


def read_ratios(run: Run) -> pl.DataFrame:
    """The ratio nr(G)/st(A) of every block at every step where both are positive.

    A is the activation of the criterion where that differs from the block's literal input.

    Returns:
        Columns block, step, nuclear_rank, stable_rank, activation, columns, ratio, by step.
    """
    criterion = read_series(run, Source.CRITERION_INPUT, "stable_rank").with_columns(
        activation=pl.lit("criterion")
    )
    literal = read_series(run, Source.INPUT, "stable_rank").with_columns(activation=pl.lit("input"))
    fed = pl.concat(
        [criterion, literal.filter(~pl.col("block").is_in(criterion["block"].unique().implode()))]
    ).rename({"value": "stable_rank", "count": "columns"})
    gradient = read_series(run, Source.GRADIENT, "nuclear_rank").drop("count")
    return (
        gradient.rename({"value": "nuclear_rank"})
        .join(fed, on=["block", "step"])
        .filter(pl.col("nuclear_rank") > 0, pl.col("stable_rank") > 0)
        .with_columns(ratio=pl.col("nuclear_rank") / pl.col("stable_rank"))
        .sort("step")
    )


def _row(block: Block, samples: pl.DataFrame | None, reason: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "block": block.name,
        "role": str(block.role),
        "depth": block.depth,
        "shape": list(block.shape),
        "verdict": Verdict.UNKNOWN,
        "ratio": None,
        "low": None,
        "high": None,
        "course": None,
        "crossings": [],
        "nuclear_rank": None,
        "stable_rank": None,
        "activation": None,
        "columns": None,
        "samples": 0,
        "window": None,
        "note": _NOTES.get(block.role),
        "reason": reason,
    }
    if samples is None:
        return row
    recent = samples.tail(max(ENOUGH, samples.height // 3))
    steps = samples["step"].to_numpy()
    logs = np.log(samples["ratio"].to_numpy())
    path = course(steps, logs, float(np.log(CLEAR)))
    row |= {
        "ratio": recent["ratio"].median(),
        "course": path.describe("2"),
        "crossings": list(path.crossings),
        "nuclear_rank": recent["nuclear_rank"].median(),
        "stable_rank": recent["stable_rank"].median(),
        "activation": recent["activation"][-1],
        "columns": recent["columns"][-1],
        "samples": samples.height,
        "window": [recent["step"][0], recent["step"][-1]],
    }
    if samples.height < ENOUGH:
        return row | {"reason": f"{samples.height} samples, {ENOUGH} are needed for an interval"}
    interval = median_interval(logs[-recent.height :], np.random.default_rng(_SEED))
    ratio, low, high = (float(end) for end in np.exp(interval))
    verdict = reading(low, high)
    return row | {"verdict": verdict, "ratio": ratio, "low": low, "high": high, "reason": None}


def _cut(cuts: Cuts | None) -> dict[str, Any]:
    """The cells on granularity."""
    if cuts is None:
        names = ("granularity", "granularity_gain", "granularity_low", "granularities")
        return dict.fromkeys(names)
    return {
        "granularity": str(cuts.favoured),
        "granularity_gain": cuts.gain,
        "granularity_low": cuts.low,
        "granularities": {str(cut): value for cut, value in cuts.values.items()},
    }


def _measured(step: MeasuredStep | None) -> dict[str, Any]:
    """The cells on measured steps."""
    return {
        "measured": None if step is None else step.ratio,
        "measured_step": None if step is None else step.step,
        "decrease_spectral": None if step is None else step.spectral,
        "decrease_euclidean": None if step is None else step.euclidean,
    }


def reading(low: float, high: float) -> Verdict:
    """What an interval of nr/st says: decided only where it lies wholly beyond 2 or ½.

    Example:
        >>> str(reading(2.0, 3.0)), str(reading(0.2, 0.5)), str(reading(1.9, 8.0))
        ('spectral', 'euclidean', 'open')
    """
    return Verdict(str(favoured(low, high)))


def _by_role(judged: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups = []
    for role in dict.fromkeys(row["role"] for row in judged):
        rows = [row for row in judged if row["role"] == role]
        ratios = [row["ratio"] for row in rows]
        counts = {
            str(verdict): sum(row["verdict"] == verdict for row in rows)
            for verdict in (Verdict.SPECTRAL, Verdict.EUCLIDEAN, Verdict.OPEN)
        }
        spread = {"ratio": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)}
        groups.append({"role": role, "blocks": len(rows), **spread, **counts})
    return groups


def _reasons(run: Run) -> dict[str, str]:
    """Why a block has no ratio, for every block."""
    gradient = set(read_series(run, Source.GRADIENT, "nuclear_rank")["block"])
    found = {block.name: "nothing is recorded of what feeds it" for block in run.blocks}
    for source in (Source.INPUT, Source.CRITERION_INPUT):
        found |= dict(read_reasons(run, source, "stable_rank"))
    found |= {
        block.name: "no gradient of it is recorded"
        for block in run.blocks
        if block.name not in gradient
    }
    return found | dict(read_reasons(run, Source.GRADIENT, "nuclear_rank"))


def _batch_sizes(run: Run) -> list[float]:
    return sorted(read_series(run, Source.TRAINING, "batch_size")["value"].unique())
