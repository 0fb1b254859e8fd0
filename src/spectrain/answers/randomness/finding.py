"""Randomness: how much of each weight matrix is still that of a random matrix.

Per block the eigenvalues σ² of the last recorded weight are compared with the Marchenko-Pastur law:
what is exactly zero or repeated is taken out, eigenvalues that stand significantly apart are
counted, the rest is fitted, and what no random matrix explains is the tail. Where an earlier step
is recorded, the width of the bulk is compared with that at the first, and with what noise of the
updates' size would have made of it; where :func:`spectrain.monitor.measure_bulk` has left records,
the answer says what the bulk is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import hypot
from typing import Any

import numpy as np
import polars as pl
import torch

from spectrain.answers.finding import Finding, Group, Label, Status, about
from spectrain.answers.randomness import words
from spectrain.answers.randomness.bulk_worth import read_bulk_worth
from spectrain.answers.randomness.judge import LEVEL, Zeros, judge_spectrum
from spectrain.answers.randomness.row import FEWEST, Judgement, RandomnessRow, Verdict
from spectrain.answers.twin import read_groups, read_twin_series, twin_of
from spectrain.core import Block, InputError, Source
from spectrain.matrix import ENTRY_MEASURES
from spectrain.records import Run
from spectrain.regime import Path

QUESTION = "How much of each weight matrix is still random?"

WIDEST = 100.0
"""Growth of the bulk's variance above which the first weights are called nearly zero: what is wide
beside them says nothing of the matrix."""

Follow = Callable[[Iterator[RandomnessRow], int], Iterator[RandomnessRow]]
"""Passes on the rows that it is given, knowing their number: for a progress bar."""


def randomness(
    run: Run,
    *,
    blocks: Sequence[Block] | None = None,
    replicates: int = 99,
    seed: int = 0,
    follow: Follow | None = None,
) -> Finding[RandomnessRow, Group]:
    """Fit a random bulk to every weight matrix of the last recorded step.

    Args:
        run: an open run; live or from a checkpoint.
        blocks: the blocks to judge; all if not given.
        replicates: simulated matrices behind each error and p-value.
        seed: of the simulation.
        follow: shows progress.

    Returns:
        A finding with a row for every matrix.

    Source:
        Aarts, Hajizadeh, Lucini & Park, arXiv:2411.13512; classes after Martin & Mahoney,
        arXiv:1810.01075, §4.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    matrices = [block for block in chosen if not block.view.diagonal]
    first, last = _spectra_at_ends(run)
    zeros, worth = _zeros(run), read_bulk_worth(run)
    groups, series = read_groups(run), read_twin_series(run)

    def row_of(block: Block) -> RandomnessRow:
        start, end = first.get(block.name), last.get(block.name)
        twin, _ = twin_of(block, groups.get(block.parameter), series)
        row = _row(block, end, zeros, replicates, seed)
        row = replace(row, loss_without_bulk=worth.alone.get(block.name))
        if start is None or end is None or start["step"] == end["step"] or not row.variance:
            return row
        before = _row(block, start, zeros, replicates, seed)
        return replace(row, **_width(before, row, None if twin is None else twin.path))

    judged = map(row_of, matrices)
    rows = tuple(follow(judged, len(matrices)) if follow else judged)
    known = [row for row in rows if row.tail is not None]
    return Finding(
        name="randomness",
        question=QUESTION,
        status=Status.ANSWERED if known else Status.NOT_ENOUGH_DATA,
        sign=words.sign(known, worth),
        sentence=words.sentence(known, rows),
        action=words.action(known, worth),
        statement=words.statement(known, worth, rows),
        confidence=(
            f"Errors and p-values come from {replicates} simulated random matrices a block. Bulks "
            f"are refuted at {LEVEL:.0%} and spikes counted at 1%, so that one truly random matrix "
            "in twenty is called otherwise: among many blocks some are, by chance."
        ),
        label=Label.TEST,
        rows=rows,
        advice=tuple(words.advice(known, worth)),
        limits=tuple(words.limits(rows, worth)),
    )


def _row(
    block: Block,
    spectrum: Mapping[str, Any] | None,
    zeros: Mapping[tuple[str, int], Zeros],
    replicates: int,
    seed: int,
) -> RandomnessRow:
    """What is said of one spectrum, or the reason why nothing is."""
    known = about(block) | {"step": None if spectrum is None else spectrum["step"]}
    if spectrum is None or not len(spectrum["values"]):
        reason = spectrum and spectrum["reason"]
        return RandomnessRow(**known, reason=reason or "no spectrum of it is recorded")
    if min(block.shape) < FEWEST:
        return RandomnessRow(**known, reason=f"{min(block.shape)} singular values are too few")
    values = np.asarray(spectrum["values"], dtype=np.float64)
    unit = float(values.max(initial=0.0)) or 1.0  # squares of very small values would be zero
    dead = zeros.get((block.name, spectrum["step"]), Zeros())
    known["zero_entries"] = dead.entries
    try:
        judgement = judge_spectrum(
            (values / unit) ** 2,
            block.shape,
            generator=torch.Generator().manual_seed(seed),
            replicates=replicates,
            zeros=dead,
        )
    except InputError as error:
        return RandomnessRow(**known, reason=str(error))
    return RandomnessRow(**known, **_in_unit(judgement, unit), verdict=judgement.tail)


def _in_unit(judgement: Judgement, unit: float) -> dict[str, Any]:
    """The fields of a judgement on a matrix that was divided by the unit."""
    fields = dict(judgement)
    for key in ("variance", "variance_error"):
        if fields[key] is not None:
            fields[key] *= unit**2
    return fields


def _width(before: RandomnessRow, now: RandomnessRow, path: Path | None) -> dict[str, Any]:
    """Width of the bulk against the first step, and how much of the gain noise would make."""
    if not before.variance or not now.variance:
        return {}
    assert before.variance_error is not None
    assert now.variance_error is not None
    if before.tail in (Verdict.EQUAL, Verdict.SPARSE):
        return {"width_reason": f"at step {before.step} the spectrum was {before.tail}"}
    width = now.variance / before.variance
    if width > WIDEST:
        return {"width_reason": f"the weights at step {before.step} are nearly zero beside it"}
    relative = hypot(now.variance_error / now.variance, before.variance_error / before.variance)
    return {
        "width": width,
        "width_error": width * relative,
        "width_since": before.step,
        "brownian": None if path is None else _brownian(before, now, path),
    }


def _brownian(before: RandomnessRow, now: RandomnessRow, path: Path) -> float | None:
    """Share of the bulk's gain in variance that the twin's kicks make: kicks/min(m, n) over it.

    The variance σ² of a bulk is that of an entry times the longer side; decay takes from the first
    variance what it takes from the first weights of the twin.
    """
    assert before.variance is not None
    assert now.variance is not None
    start, kept = float(path.squared[0]), float(path.initial[-1])
    if not start > 0:
        return None
    gain = now.variance - before.variance * kept / start
    kicks = float(path.squared[-1] - kept) / min(now.shape)
    noticed = 3 * hypot(now.variance_error or 0.0, before.variance_error or 0.0)
    return kicks / gain if gain > noticed else None


def _zeros(run: Run) -> dict[tuple[str, int], Zeros]:
    """Which of the recorded weights are zero, by block and step."""
    names = {"zero_rows": "rows", "zero_columns": "columns", "zero_entries": "entries"}
    assert names.keys() == ENTRY_MEASURES.keys()
    rows = run.metrics(source=Source.WEIGHT).filter(
        pl.col("measure").is_in(list(names)) & pl.col("value").is_finite()
    )
    by_place: dict[tuple[str, int], Zeros] = {}
    for row in rows.iter_rows(named=True):
        key, field = (row["block"], row["step"]), names[row["measure"]]
        value = row["value"] if field == "entries" else int(row["value"])
        by_place[key] = replace(by_place.get(key, Zeros()), **{field: value})
    return by_place


def _spectra_at_ends(run: Run) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The first and the last recorded spectrum of every block's weight, finite if one is."""
    frame = run.spectra(source=Source.WEIGHT).filter(pl.col("rank") == pl.col("rank").min())
    finite = pl.col("values").list.eval(pl.element().is_finite()).list.all()
    known = (pl.col("values").list.len() > 0) & finite
    frame = frame.filter(known | ~known.any().over("block"))
    grouped = frame.group_by("block", maintain_order=True)
    first, last = (
        {row["block"]: row for row in ends.iter_rows(named=True)}
        for ends in (grouped.first(), grouped.last())
    )
    return first, last
