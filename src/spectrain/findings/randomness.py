"""Randomness: how much of each weight matrix is still that of a random matrix.

Per block the eigenvalues σ² of the last recorded weight are compared with the Marchenko-Pastur law:
eigenvalues that stand significantly apart are counted, the rest is fitted, and what no random
matrix explains is the tail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from spectrain.core import Block, InputError, Source
from spectrain.findings.finding import Finding, Label, Status
from spectrain.findings.phrases import among, join, plural
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


class Tail(StrEnum):
    """What is left of a spectrum beside a random bulk."""

    NONE = "random"
    SPIKES = "random with spikes"
    BENT = "not random"
    HEAVY = "without a bulk"


def randomness(
    run: Run,
    *,
    blocks: Sequence[Block] | None = None,
    replicates: int = 99,
    seed: int = 0,
    follow: Follow | None = None,
) -> Finding:
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
        with its error, the p-value of the bulk against the law, and the exponent of the power law
        that fits the largest eigenvalues best, which the scan finds in every spectrum.

    Source:
        Aarts, Hajizadeh, Lucini & Park, arXiv:2411.13512; classes after Martin & Mahoney,
        arXiv:1810.01075, §4.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    matrices = [block for block in chosen if not block.view.diagonal]
    spectra = _last_spectra(run)
    judged = (_row(block, spectra.get(block.name), replicates, seed) for block in matrices)
    rows = list(follow(judged, len(matrices)) if follow else judged)
    known = [row for row in rows if row["tail"] is not None]
    return Finding(
        name="randomness",
        question="How much of each weight matrix is still random?",
        status=Status.ANSWERED if known else Status.NOT_ENOUGH_DATA,
        statement=_statement(known),
        confidence=(
            f"Errors and p-values come from {replicates} simulated random matrices a block. A bulk "
            f"is called random unless refuted at the level {LEVEL:g}, so that one truly random "
            f"matrix in {1 / LEVEL:.0f} is not."
        ),
        label=Label.TEST,
        rows=tuple(rows),
        limits=tuple(_limits(rows)),
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
    block: Block, spectrum: Mapping[str, Any] | None, replicates: int, seed: int
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "block": block.name,
        "role": str(block.role),
        "depth": block.depth,
        "shape": list(block.shape),
        "step": spectrum["step"] if spectrum else None,
    }
    empty = dict.fromkeys(
        (
            "tail",
            "bulk_fraction",
            "bulk_fraction_error",
            "spikes",
            "variance",
            "variance_error",
            "p_value",
            "exponent",
            "exponent_error",
            "exponent_count",
            "reason",
        )
    )
    row |= empty
    if spectrum is None or not len(spectrum["values"]):
        reason = spectrum and spectrum["reason"]
        return row | {"reason": reason or "no spectrum of it is recorded"}
    if min(block.shape) < LEAST_COLUMNS:
        return row | {"reason": f"{min(block.shape)} singular values are too few"}
    eigenvalues = np.asarray(spectrum["values"], dtype=np.float64) ** 2
    generator = torch.Generator().manual_seed(seed)
    try:
        return row | judge_spectrum(
            eigenvalues, block.shape, generator=generator, replicates=replicates
        )
    except InputError as error:
        return row | {"reason": str(error)}


def _last_spectra(run: Run) -> dict[str, dict[str, Any]]:
    frame = run.spectra(source=Source.WEIGHT).filter(pl.col("rank") == pl.col("rank").min())
    last = frame.group_by("block", maintain_order=True).last()
    return {row["block"]: row for row in last.iter_rows(named=True)}


def _statement(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No weight spectrum was long enough for a fit."
    counts = Counter(row["tail"] for row in rows)
    parts = [f"{counts[tail]} {tail}" for tail in Tail if counts[tail]]
    random = [row for row in rows if row["tail"] is Tail.NONE]
    named = f" Wholly random: {among(random, rows)}." if random else ""
    middle = median(row["bulk_fraction"] for row in rows)
    return (
        f"In the median of {plural(len(rows), 'block')} {middle:.0%} of the eigenvalues belong to "
        f"a random bulk ({join(parts)}).{named}"
    )


def _limits(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    reasons = Counter(row["reason"] for row in rows if row["tail"] is None)
    for reason, count in reasons.items():
        yield f"{count} not judged: {reason}"
    yield (
        "An exponent alone is no evidence of a power law: some tail fits best in every spectrum, "
        "and its error does not know that its start was searched for."
    )
    yield (
        "A matrix may look random to its spectrum and still hold what was learned: only the "
        "singular values are compared, not the vectors."
    )
