"""Randomness: how much of each weight matrix is still that of a random matrix.

Per block the eigenvalues σ² of the last recorded weight are compared with the Marchenko-Pastur law:
eigenvalues that stand significantly apart are counted, the rest is fitted, and what no random
matrix explains is the tail. Where an earlier step is recorded, the width of the bulk is compared
with that at the first; where :func:`spectrain.monitor.measure_bulk` has left records, the answer
says what the bulk is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import hypot
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from spectrain.answers.finding import Finding, Label, Status
from spectrain.answers.randomness import words
from spectrain.answers.randomness.bulk_worth import read_bulk_worth
from spectrain.answers.randomness.words import Tail
from spectrain.answers.untyped import Untyped, brief
from spectrain.core import Block, InputError, Source
from spectrain.records import Run
from spectrain.rmt.marchenko_pastur_fit import fit_marchenko_pastur
from spectrain.rmt.power_law import fit_power_law
from spectrain.rmt.spikes import count_spikes

LEAST_COLUMNS = 16
"""Narrower matrices have too few eigenvalues for a fit."""

LEVEL = 0.05
"""A bulk is called random unless this test level refutes it."""

Array = np.ndarray

Follow = Callable[[Iterator[dict[str, Any]], int], Iterator[dict[str, Any]]]
"""Passes on the rows that it is given, told how many come: for a progress bar."""


def randomness(
    run: Run,
    *,
    blocks: Sequence[Block] | None = None,
    replicates: int = 99,
    seed: int = 0,
    follow: Follow | None = None,
) -> Finding[Any, Any]:
    """Fit a random bulk to every weight matrix of the last recorded step.

    Args:
        run: an open run; live or from a checkpoint.
        blocks: the blocks to judge; all if not given.
        replicates: simulated matrices behind each error and p-value.
        seed: of the simulation.
        follow: shows progress.

    Returns:
        A finding with a row for every matrix: the class of its tail, the fraction of eigenvalues in
        the random bulk with its standard error, the number of spikes, the variance σ² of the bulk
        with its error and as a multiple of that at the first recorded step (``width``), the p-value
        of the bulk against the law, the exponent of the power law that fits the largest eigenvalues
        best, which the scan finds in every spectrum, and the change of loss without the block's
        bulk where that was measured.

    Source:
        Aarts, Hajizadeh, Lucini & Park, arXiv:2411.13512; classes after Martin & Mahoney,
        arXiv:1810.01075, §4.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    matrices = [block for block in chosen if not block.view.diagonal]
    first, last = _spectra_at_ends(run)
    worth = read_bulk_worth(run)
    judged: Iterator[dict[str, Any]] = (
        _row(block, first.get(block.name), last.get(block.name), replicates, seed)
        | {"loss_without_bulk": worth.alone.get(block.name)}
        for block in matrices
    )
    rows = [Untyped(row) for row in (follow(judged, len(matrices)) if follow else judged)]
    known = [row for row in rows if row["tail"] is not None]
    status = Status.ANSWERED if known else Status.NOT_ENOUGH_DATA
    statement, advice = words.statement(known, worth), tuple(words.advice(known, worth))
    return Finding(
        name="randomness",
        question="How much of each weight matrix is still random?",
        status=status,
        **brief(status, statement, advice),
        statement=statement,
        confidence=(
            f"Errors and p-values come from {replicates} simulated random matrices a block. A bulk "
            f"is called random unless refuted at the level {LEVEL:g}, so that one truly random "
            f"matrix in {1 / LEVEL:.0f} is not."
        ),
        label=Label.TEST,
        rows=tuple(rows),
        advice=advice,
        limits=tuple(words.limits(rows, worth)),
    )


def judge_spectrum(
    eigenvalues: Float[Array, " n"],
    shape: tuple[int, int],
    *,
    generator: torch.Generator,
    replicates: int = 99,
) -> dict[str, Any]:
    """The random part of one spectrum.

    Args:
        eigenvalues: σ² of the matrix, with zeros.
        shape: (m, n) of the matrix.
        generator: source of the simulated matrices.
        replicates: how many.

    Raises:
        InputError: more than half of the eigenvalues are zero, or they are not finite.

    Example:
        >>> from spectrain.rmt.ensembles import laguerre_eigenvalues
        >>> generator = torch.Generator().manual_seed(0)
        >>> (levels,) = laguerre_eigenvalues((64, 32), count=1, generator=generator)
        >>> found = judge_spectrum(levels, (64, 32), generator=generator, replicates=19)
        >>> str(found["tail"]), found["spikes"]
        ('random', 0)
    """
    sides = max(shape), min(shape)
    spikes = count_spikes(eigenvalues, sides).count
    law = fit_power_law(eigenvalues[eigenvalues > 0])
    scan = {
        "exponent": law.law.exponent,
        "exponent_error": law.error,
        "exponent_count": law.count,
    }
    if spikes > len(eigenvalues) - 2:
        return {"tail": Tail.HEAVY, "bulk_fraction": 0.0, "spikes": spikes, **scan}
    fit = fit_marchenko_pastur(eigenvalues, sides, generator=generator, replicates=replicates)
    random = fit.p_value > LEVEL
    return {
        "tail": (Tail.SPIKES if spikes else Tail.NONE) if random else Tail.BENT,
        "bulk_fraction": fit.area.value,
        "bulk_fraction_error": fit.area.error,
        "spikes": spikes,
        "variance": fit.variance.value,
        "variance_error": fit.variance.error,
        "p_value": fit.p_value,
        **scan,
    }


def _row(
    block: Block,
    first: Mapping[str, Any] | None,
    last: Mapping[str, Any] | None,
    replicates: int,
    seed: int,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "block": block.name,
        "role": str(block.role),
        "depth": block.depth,
        "shape": list(block.shape),
        "step": last["step"] if last else None,
    }
    row |= dict.fromkeys(
        (
            "tail",
            "bulk_fraction",
            "bulk_fraction_error",
            "spikes",
            "variance",
            "variance_error",
            "width",
            "width_error",
            "width_since",
            "p_value",
            "exponent",
            "exponent_error",
            "exponent_count",
            "reason",
        )
    )
    found = _judged(block, last, replicates, seed)
    row |= found
    if first is None or last is None or first["step"] == last["step"] or not row["variance"]:
        return row
    start = _judged(block, first, replicates, seed)
    if not start.get("variance"):
        return row
    width = row["variance"] / start["variance"]
    relative = hypot(
        row["variance_error"] / row["variance"], start["variance_error"] / start["variance"]
    )
    return row | {"width": width, "width_error": width * relative, "width_since": first["step"]}


def _judged(
    block: Block, spectrum: Mapping[str, Any] | None, replicates: int, seed: int
) -> dict[str, Any]:
    """What is said of one spectrum, or the reason why nothing is."""
    if spectrum is None or not len(spectrum["values"]):
        reason = spectrum and spectrum["reason"]
        return {"reason": reason or "no spectrum of it is recorded"}
    if min(block.shape) < LEAST_COLUMNS:
        return {"reason": f"{min(block.shape)} singular values are too few"}
    eigenvalues = np.asarray(spectrum["values"], dtype=np.float64) ** 2
    generator = torch.Generator().manual_seed(seed)
    try:
        return judge_spectrum(eigenvalues, block.shape, generator=generator, replicates=replicates)
    except InputError as error:
        return {"reason": str(error)}


def _spectra_at_ends(run: Run) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The first and the last recorded spectrum of every block's weight."""
    frame = run.spectra(source=Source.WEIGHT).filter(pl.col("rank") == pl.col("rank").min())
    grouped = frame.group_by("block", maintain_order=True)
    first, last = (
        {row["block"]: row for row in ends.iter_rows(named=True)}
        for ends in (grouped.first(), grouped.last())
    )
    return first, last
