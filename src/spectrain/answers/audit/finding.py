"""Audit: whether the applied updates are what their optimizer intends.

From the spectrum of the applied update without decoupled decay: for an optimizer that
orthogonalizes (Muon, SpecGD) the singular values over the intended scale s, the distance from an
isometry ‖UᵀU − I‖_F/√r of U = ΔW at unit root mean square of its singular values, and the RMS of
the entries against the intended one. For any optimizer, how far clipping scaled the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spectrain.answers.audit import words
from spectrain.answers.audit.row import ENOUGH, RESIDUAL, SHRUNK, AuditRow, Verdict
from spectrain.answers.finding import Finding, Label, Status, about
from spectrain.answers.phrases import plural
from spectrain.answers.series import by_block, read_reasons, read_series
from spectrain.core import Block, Source
from spectrain.records import Run

QUESTION = "Are the applied updates what their optimizer intends?"


def audit(run: Run, *, blocks: Sequence[Block] | None = None) -> Finding[AuditRow, Any]:
    """Compare applied updates with what their optimizers intend.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.

    Returns:
        A finding with a row for every block: verdict, singular-value range over the intended scale,
        distance from an isometry, RMS against the intended, clipping factor and its spread.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    applied = read_directions(run)
    scales = by_block(read_series(run, Source.DIRECTION, "intended_scale"))
    intended = by_block(read_series(run, Source.DIRECTION, "intended_rms"))
    lengths = dict(read_reasons(run, Source.DIRECTION, "intended_scale"))
    clipping = by_block(read_clipping(run))
    rows = tuple(
        _row(
            block,
            applied.get(block.name, ()),
            scales.get(block.name),
            intended.get(block.name),
            clipping.get(block.name),
            spectral=block.name in scales or block.name in lengths,
        )
        for block in chosen
    )
    judged = [row for row in rows if row.verdict not in (Verdict.UNKNOWN, Verdict.NOT_MEANT)]
    answered = bool(judged) or any(row.clipping is not None for row in rows)
    return Finding(
        name="audit",
        question=QUESTION,
        status=Status.ANSWERED if answered else Status.NOT_ENOUGH_DATA,
        **words.brief(rows),
        statement=words.statement(rows),
        confidence=words.confidence(judged),
        label=Label.HEURISTIC,
        rows=rows,
        advice=tuple(words.advice(rows)),
        limits=tuple(words.limits(rows)),
    )


def read_directions(run: Run) -> Mapping[str, list[tuple[int, NDArray[np.float64]]]]:
    """Singular values of the applied updates without decoupled decay, by block and step.

    The update itself stands for its direction in blocks without decay, where both are one. Steps
    on a gradient of zero are left out: what is left of them after the decay is rounding.
    """
    directions: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}
    gradients = run.metrics(source=Source.GRADIENT, measure="frobenius_norm")
    idle = set(gradients.filter(pl.col("value") == 0).select("block", "step").iter_rows())
    unknown = run.metrics(source=Source.DIRECTION, measure="frobenius_norm")
    undecided = set(unknown.filter(pl.col("value").is_null())["block"])
    for source in (Source.DIRECTION, Source.UPDATE):
        known = set(directions)
        rows = run.spectra(source=source).filter(pl.col("reason").is_null())
        for step, block, values in rows.select("step", "block", "values").iter_rows():
            if block not in known and block not in undecided and (block, step) not in idle:
                directions.setdefault(block, []).append(
                    (step, np.asarray(values, dtype=np.float64))
                )
    return directions


def read_clipping(run: Run) -> pl.DataFrame:
    """‖gradient before the step‖_F/‖gradient of the backward pass‖_F: block, step, value."""
    before = read_series(run, Source.BACKWARD, "frobenius_norm").drop("count")
    used = read_series(run, Source.GRADIENT, "frobenius_norm").drop("count")
    joined = used.join(before, on=["block", "step"], suffix="_backward")
    return (
        joined.filter(pl.col("value_backward") > 0)
        .with_columns(value=pl.col("value") / pl.col("value_backward"))
        .select("block", "step", "value")
        .sort("step")
    )


def residual_of(values: NDArray[np.float64]) -> float:
    """‖UᵀU − I‖_F/√r of U = ΔW/√(mean σ²): 0 for an isometry times any number.

    Example:
        >>> residual_of(np.array([2.0, 2.0])), round(residual_of(np.array([1.0, 0.0])), 3)
        (0.0, 1.0)
    """
    energy = values**2
    return float(np.sqrt(np.mean((energy / energy.mean() - 1) ** 2)))


def _row(
    block: Block,
    spectra: Sequence[tuple[int, NDArray[np.float64]]],
    scales: pl.DataFrame | None,
    intended: pl.DataFrame | None,
    clipping: pl.DataFrame | None,
    *,
    spectral: bool,
) -> AuditRow:
    row = AuditRow(
        **about(block),
        spectral=spectral,
        part=bool(block.view.rows or block.view.columns),
        **_clipped(clipping),
    )
    usable = [(step, values) for step, values in spectra if values.any()]
    if usable:
        row = replace(row, **_applied(block, usable, scales, intended))
    if not spectral:
        reason = "its optimizer promises no orthogonal update"
        return replace(row, verdict=Verdict.NOT_MEANT, reason=reason)
    if row.part:
        reason = "a part of a matrix that is orthogonalized as a whole"
        return replace(row, verdict=Verdict.NOT_MEANT, reason=reason)
    if not usable:
        return replace(row, reason="no update with a known direction is recorded")
    if len(usable) < ENOUGH:
        return replace(row, reason=f"{plural(len(usable), 'sample')}, {ENOUGH} are needed")
    return replace(row, verdict=_verdict(row))


def _clipped(series: pl.DataFrame | None) -> dict[str, Any]:
    if series is None or series.is_empty():
        return {}
    factor = series["value"].to_numpy()
    return {
        "clipping": float(np.median(factor)),
        "clipping_spread": float(factor.std() / factor.mean()),
        "clipped_share": float(np.mean(factor < 0.999)),
    }


def _applied(
    block: Block,
    usable: Sequence[tuple[int, NDArray[np.float64]]],
    scales: pl.DataFrame | None,
    intended: pl.DataFrame | None,
) -> dict[str, Any]:
    sizes = [float(np.sqrt(np.sum(v**2) / (block.shape[0] * block.shape[1]))) for _, v in usable]
    columns: dict[str, Any] = {
        "samples": len(usable),
        "rms": float(np.median(sizes)),
        "residual": float(np.median([residual_of(values) for _, values in usable])),
    }
    scale = {} if scales is None else dict(scales.select("step", "value").iter_rows())
    unit = [(v / scale[step]) for step, v in usable if step in scale]
    if unit:
        columns["least"] = float(np.median([v[-1] for v in unit]))
        columns["most"] = float(np.median([v[0] for v in unit]))
        columns["below_half"] = float(np.median([np.mean(v < 0.5) for v in unit]))
    meant = {} if intended is None else dict(intended.select("step", "value").iter_rows())
    ratios = [
        size / meant[step] for size, (step, _) in zip(sizes, usable, strict=True) if meant.get(step)
    ]
    return columns | {"rms_ratio": float(np.median(ratios)) if ratios else None}


def _verdict(row: AuditRow) -> Verdict:
    if row.residual is not None and row.residual > RESIDUAL:
        return Verdict.NOT_ORTHOGONAL
    if row.rms_ratio is not None and row.rms_ratio < SHRUNK:
        return Verdict.SHRUNK
    return Verdict.ORTHOGONAL
