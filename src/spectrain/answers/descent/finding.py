"""Descent: which blocks should take spectral updates, and which Euclidean ones.

For least squares ½‖WA − Y‖²/n a spectral step with its natural length is sure to lower the loss
further than a gradient step where nr(∇L) ≥ 2 st(A), and sure to lower it less where nr(∇L) ≤ ½
st(A) (Davis & Drusvyatskiy, §1.2, with both sides of the quadratic bound). Between, the one-step
guarantees do not decide. For a block of a network the same ratio is a heuristic (their §1.2.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from spectrain.answers.denoised import read_denoised
from spectrain.answers.descent import words
from spectrain.answers.descent.course import course
from spectrain.answers.descent.granularity import Cuts, read_cuts
from spectrain.answers.descent.measured_steps import MeasuredStep, read_measured
from spectrain.answers.descent.row import DescentGroup, DescentRow, Verdict
from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.phrases import plural
from spectrain.answers.series import by_block, read_reasons, read_series
from spectrain.answers.trend import ENOUGH, median_interval
from spectrain.core import Block, Role, Source
from spectrain.descent import CLEAR, favoured
from spectrain.records import Run

QUESTION = "Which blocks should take spectral updates, and which Euclidean ones?"

_SEED = 0
_GAIN = "a gain: its spectral step is a sign step, and the criterion is about matrices"
_NOTES = {
    Role.EMBEDDING: "fed by token indicators: st(A) = 1/(share of the commonest token)",
    Role.HEAD: "common practice leaves the head to Adam",
}


def descent(
    run: Run, *, blocks: Sequence[Block] | None = None
) -> Finding[DescentRow, DescentGroup]:
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
    table = read_ratios(run, chosen)
    ratios, cuts, measured = by_block(table), read_cuts(run, table), read_measured(run)
    reasons = _reasons(run)
    rows = tuple(
        _row(
            block,
            ratios.get(block.name),
            reasons.get(block.name),
            cuts.get(block.name),
            measured.get(block.name),
        )
        for block in chosen
    )
    theorem = run.manifest["config"].get("objective") == "least squares" and len(run.blocks) == 1
    if theorem:  # of all data: there is no sampling noise
        rows = tuple(replace(row, corrected=True) for row in rows)
    judged = [row for row in rows if row.verdict not in (Verdict.UNKNOWN, Verdict.NO_MATRIX)]
    decided = [row for row in judged if row.verdict is not Verdict.OPEN]
    status = Status.ANSWERED if decided else Status.OPEN if judged else Status.NOT_ENOUGH_DATA
    return Finding(
        name="descent",
        question=QUESTION,
        status=status,
        **words.brief(rows),
        statement=words.statement(rows),
        confidence=words.confidence(judged),
        label=Label.THEOREM if theorem else Label.HEURISTIC,
        rows=rows,
        groups=tuple(_by_role(judged)),
        advice=tuple(words.advice(rows)),
        limits=tuple(words.limits(rows, _batch_sizes(run), theorem=theorem)),
    )


def read_ratios(run: Run, blocks: Sequence[Block] | None = None) -> pl.DataFrame:
    """The ratio nr(G)/st(A) of every block at every step where its gradient's spectrum was read.

    The stable rank is that of the nearest step where what feeds the block was read: it changes
    more slowly, and is read less often. A is the activation of the criterion where that differs
    from the block's literal input. Where replicas give the noise of the gradient, G is its signal
    (:func:`spectrain.answers.denoised.read_denoised`), else what the optimizer was given, whose
    nuclear rank sampling noise raises.

    Returns:
        Columns block, step, nuclear_rank, corrected, stable_rank, activation, columns, ratio, by
        step.
    """
    criterion = read_series(run, Source.CRITERION_INPUT, "stable_rank").with_columns(
        activation=pl.lit("criterion")
    )
    literal = read_series(run, Source.INPUT, "stable_rank").with_columns(activation=pl.lit("input"))
    fed = pl.concat(
        [criterion, literal.filter(~pl.col("block").is_in(criterion["block"].unique().implode()))]
    ).rename({"value": "stable_rank", "count": "columns"})
    return (
        _nuclear_ranks(run, run.blocks if blocks is None else blocks)
        .filter(pl.col("nuclear_rank") > 0)
        .sort("step")
        .join_asof(
            fed.filter(pl.col("stable_rank") > 0).sort("step"),
            on="step",
            by="block",
            strategy="nearest",
            check_sortedness=False,
        )
        .drop_nulls("stable_rank")
        .with_columns(ratio=pl.col("nuclear_rank") / pl.col("stable_rank"))
        .sort("step")
    )


def _nuclear_ranks(run: Run, blocks: Sequence[Block]) -> pl.DataFrame:
    """Columns block, step, nuclear_rank, corrected."""
    raw = read_series(run, Source.GRADIENT, "nuclear_rank").select(
        "block", "step", nuclear_rank="value", corrected=pl.lit(value=False)
    )
    signals = [
        rows.select(
            block=pl.lit(name),
            step="step",
            nuclear_rank="nuclear_rank",
            corrected=pl.lit(value=True),
        )
        for name, rows in read_denoised(run, blocks).items()
    ]
    known = pl.concat(signals) if signals else raw.clear()
    return pl.concat([known, raw.filter(~pl.col("block").is_in(known["block"].unique().implode()))])


def _row(
    block: Block,
    samples: pl.DataFrame | None,
    reason: str | None,
    cuts: Cuts | None,
    measured: MeasuredStep | None,
) -> DescentRow:
    row = DescentRow(
        **about(block),
        note=_NOTES.get(block.role),
        reason=reason,
        **({} if cuts is None else _cut(cuts)),
        **({} if measured is None else _measured(measured)),
    )
    if samples is None:
        return replace(row, verdict=Verdict.NO_MATRIX, reason=_GAIN) if _is_gain(block) else row
    recent = samples.tail(max(ENOUGH, samples.height // 3))
    logs = np.log(samples["ratio"].to_numpy())
    path = course(samples["step"].to_numpy(), logs, float(np.log(CLEAR)))
    row = replace(
        row,
        ratio=float(np.median(recent["ratio"].to_numpy())),
        course=path.describe("2"),
        crossings=path.crossings,
        nuclear_rank=float(np.median(recent["nuclear_rank"].to_numpy())),
        corrected=recent["corrected"][-1],
        stable_rank=float(np.median(recent["stable_rank"].to_numpy())),
        activation=recent["activation"][-1],
        columns=recent["columns"][-1],
        samples=samples.height,
        window=(recent["step"][0], recent["step"][-1]),
    )
    if _is_gain(block):
        return replace(row, verdict=Verdict.NO_MATRIX, reason=_GAIN)
    if samples.height < ENOUGH:
        few = f"{plural(samples.height, 'sample')}, {ENOUGH} are needed for an interval"
        return replace(row, reason=few)
    interval = median_interval(logs[-recent.height :], np.random.default_rng(_SEED))
    ratio, low, high = (float(end) for end in np.exp(interval))
    return replace(row, verdict=reading(low, high), ratio=ratio, low=low, high=high, reason=None)


def _is_gain(block: Block) -> bool:
    return block.view.diagonal


def _cut(cuts: Cuts) -> dict[str, Any]:
    """The fields on granularity."""
    return {
        "granularity": str(cuts.favoured),
        "granularity_gain": cuts.gain,
        "granularity_low": cuts.low,
        "granularities": {str(cut): value for cut, value in cuts.values.items()},
    }


def _measured(step: MeasuredStep) -> dict[str, Any]:
    """The fields on measured steps."""
    return {
        "measured": step.ratio,
        "measured_step": step.step,
        "decrease_spectral": step.spectral,
        "decrease_euclidean": step.euclidean,
    }


def reading(low: float, high: float) -> Verdict:
    """What an interval of nr/st says: decided only where it lies wholly beyond 2 or ½.

    Example:
        >>> str(reading(2.0, 3.0)), str(reading(0.2, 0.5)), str(reading(1.9, 8.0))
        ('spectral', 'euclidean', 'open')
    """
    return Verdict(str(favoured(low, high)))


def _by_role(judged: Sequence[DescentRow]) -> Iterator[DescentGroup]:
    for role in dict.fromkeys(row.role for row in judged):
        rows = [row for row in judged if row.role == role]
        ratios = [row.ratio for row in rows if row.ratio is not None]
        count = Counter(row.verdict for row in rows)
        yield DescentGroup(
            role=role,
            blocks=len(rows),
            ratio=float(np.median(ratios)),
            least=min(ratios),
            most=max(ratios),
            spectral=count[Verdict.SPECTRAL],
            euclidean=count[Verdict.EUCLIDEAN],
            open=count[Verdict.OPEN],
        )


def _reasons(run: Run) -> dict[str, str]:
    """Why a block has no ratio, for every block."""
    gradient = set(read_series(run, Source.GRADIENT, "nuclear_rank")["block"])
    reasons = {block.name: "nothing is recorded of what feeds it" for block in run.blocks}
    for source in (Source.INPUT, Source.CRITERION_INPUT):
        reasons |= dict(read_reasons(run, source, "stable_rank"))
    reasons |= {
        block.name: "no gradient of it is recorded"
        for block in run.blocks
        if block.name not in gradient
    }
    return reasons | dict(read_reasons(run, Source.GRADIENT, "nuclear_rank"))


def _batch_sizes(run: Run) -> list[float]:
    return sorted(read_series(run, Source.TRAINING, "batch_size")["value"].unique())
