"""The columns of WeightWatcher 0.7 under its names and with its definitions.

They are functions of the eigenvalues λ = σ² of the matrix as it is stored; a convolution is taken
as the slices W[:, :, i, j]/√2, whose eigenvalues are pooled. Read from WeightWatcher 0.7.7 and
checked against it on whole models (``benchmarks/inspect_weightwatcher.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from spectrain.checkpoint.weightwatcher.bulk import fit_bulk
from spectrain.checkpoint.weightwatcher.tail import Tail, fit_tail_as
from spectrain.core import QUANTITIES, InputError, Quantity, Record, Source
from spectrain.matrix import Spectrum, SpectrumStatus, spectrum

Array = np.ndarray

PREFIX = "weightwatcher."
"""Begins the names of the measures in records, since some of them have other definitions here."""

REPLICAS = 5
FEW = 100
"""Matrices with fewer eigenvalues are shuffled several times."""

WEAK = 1e-6

Columns = dict[str, float]
Reasons = dict[str, str]
"""Why a column has no value."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Eigenvalues of a matrix, or of the slices of a convolution, in ascending order.

    Attributes:
        values: λ.
        larger: N, the longer side.
        smaller: M, the shorter side.
        slices: number of slices (``rf``).
        rank: eigenvalues that are not zero, slice by slice.
        least: the largest of the slices' smallest singular values.
    """

    values: Float[Array, " n"]
    larger: int
    smaller: int
    slices: int
    rank: int
    least: float


def weightwatcher_records(
    weight: Tensor,
    name: str,
    step: int,
    known: Spectrum | None = None,
    *,
    fits: bool = True,
    tail: Tail = Tail(),  # noqa: B008  # it is frozen
    seed: int = 0,
) -> list[Record]:
    """All columns of a stored tensor as records; where there are none, one record with the reason.

    Args:
        weight: two-dimensional, or a convolution's of four dimensions; others have no columns.
        name: of the tensor.
        step: of the checkpoint.
        known: the spectrum of ``weight``, where it was computed before.
        fits: also what WeightWatcher computes with ``mp_fit=True, randomize=True``.
        tail: how the tail is fitted.
        seed: of the shuffled copies.

    Example:
        >>> rows = weightwatcher_records(torch.diag(torch.arange(1.0, 31.0)), "w", 0, fits=False)
        >>> round(next(row.value for row in rows if row.measure.endswith("alpha")), 2)
        3.33
    """
    generator = torch.Generator().manual_seed(seed)
    try:
        with np.errstate(all="ignore"):
            columns, reasons = _columns(weight, known, fits, tail, generator)
    except (InputError, RuntimeError, np.linalg.LinAlgError) as error:
        columns, reasons = {}, {"alpha": str(error).partition("\n")[0]}
    reasons |= {name: "out of range" for name, value in columns.items() if not math.isfinite(value)}
    return [
        Record(
            step,
            name,
            Source.WEIGHT,
            PREFIX + column,
            None if column in reasons else float(columns[column]),
            reason=reasons.get(column),
        )
        for column in {**columns, **reasons}
    ]


def _columns(
    weight: Tensor, known: Spectrum | None, fits: bool, tail: Tail, generator: torch.Generator
) -> tuple[Columns, Reasons]:
    if weight.ndim not in {2, 4}:
        return {}, {"alpha": f"WeightWatcher has no columns for {weight.ndim}-D tensors"}
    if weight.numel() == 0:
        return {}, {"alpha": "empty matrix"}
    levels = levels_of(weight, known)
    columns, reasons = default_columns(levels, tail)
    if fits:
        for extra, why in (bulk_columns(levels), random_columns(weight, levels, generator)):
            columns, reasons = columns | extra, reasons | why
    return columns, reasons


def levels_of(weight: Tensor, known: Spectrum | None = None) -> Levels:
    """The eigenvalues that WeightWatcher speaks of.

    Singular values below ten times their own error are computed again by an SVD: the columns count
    those that are not zero.
    """
    matrices = _slices(weight)
    s = spectrum(matrices) if known is None or weight.ndim == 4 else known
    if bool((s.status == SpectrumStatus.NOT_FINITE).any()):
        raise InputError("matrix holds NaN or Inf", remedy="look for where training diverged")
    if bool((s.values[..., -1] <= 10 * s.error[..., -1]).any()):
        s = spectrum(matrices, method="exact")
    unit = math.sqrt(0.5) if weight.ndim == 4 else 1.0
    values = s.values.reshape(-1, s.values.shape[-1]).numpy(force=True) * unit
    larger, smaller = max(s.shape), min(s.shape)
    floor = values[:, :1] * larger * np.finfo(np.float64).eps
    return Levels(
        np.sort((values**2).ravel()),
        larger,
        smaller,
        len(values),
        int((values > floor).sum()),
        float(values[:, -1].max()),
    )


def _slices(weight: Tensor) -> Float[Tensor, "slices m n"]:
    return weight.permute(2, 3, 0, 1).flatten(0, 1) if weight.ndim == 4 else weight[None]


def default_columns(
    levels: Levels,
    tail: Tail = Tail(),  # noqa: B008
) -> tuple[Columns, Reasons]:
    """What ``analyze()`` gives, and why columns are missing."""
    x = levels.values
    columns = {
        "N": levels.larger,
        "M": levels.smaller,
        "rf": levels.slices,
        "Q": levels.larger / levels.smaller,
        "num_evals": len(x),
        "sv_max": math.sqrt(x[-1]),
        "sv_min": levels.least,
        "rank_loss": len(x) - levels.rank,
        "weak_rank_loss": int((x < WEAK).sum()),
        "lambda_max": x[-1],
        "norm": x.sum(),
        "spectral_norm": x[-1],
    }
    if not x[-1] > 0:
        zero = "log_norm log_spectral_norm stable_rank matrix_rank entropy "
        zero += " ".join((*_DETERMINANT, *_TAIL))
        return columns, dict.fromkeys(zero.split(), "zero matrix")
    roots = np.sqrt(x)
    columns |= {
        "log_norm": math.log10(x.sum()),
        "log_spectral_norm": math.log10(x[-1]),
        "stable_rank": x.sum() / x[-1],
        "matrix_rank": (roots > roots[-1] * levels.larger * np.finfo(np.float64).eps).sum(),
    }
    columns["entropy"] = _entropy(x, int(columns["matrix_rank"]))
    columns |= determinant_columns(x)
    try:
        columns |= _tail_columns(x, tail)
    except InputError as error:
        return columns, dict.fromkeys((*_TAIL, "ERG_gap"), str(error))
    reasons = {"sigma": NO_ERROR} if "sigma" not in columns else {}
    return columns | {"ERG_gap": columns["detX_num"] - columns["num_pl_spikes"]}, reasons


def determinant_columns(x: Float[Array, " n"]) -> Columns:
    """What ``detX=True`` adds: how many of the largest eigenvalues have a product below 1.

    With λ̃ = λ·n/Σλ, the tail is grown from the largest eigenvalue on until Π λ̃ < 1 (the condition
    det X = 1 of SETOL, "ERG"); where that never happens it is all but the smallest.

    Args:
        x: eigenvalues in ascending order.

    Source:
        Martin & Hinrichs, SETOL (2025), §4; WeightWatcher 0.7.7.

    Example:
        >>> determinant_columns(np.array([0.01, 0.5, 2.0]))["detX_num"]  # 2.4 · 0.6 · 0.01
        3
    """
    unit = x * (len(x) / x.sum())
    with np.errstate(divide="ignore"):
        products = np.cumsum(np.log(unit[:0:-1]))  # all but the smallest, from the largest on
    below = np.flatnonzero(products < 0)
    first = len(x) - 1 - int(below[0]) if below.size else min(1, len(x) - 1)
    count = len(x) - first if below.size else len(x)
    return {
        "detX_num": count,
        "num_ERG_spikes": count,
        "detX_val": x[first],
        "detX_val_unrescaled": unit[first],
    }


def bulk_columns(levels: Levels, prefix: str = "") -> tuple[Columns, Reasons]:
    """What ``mp_fit=True`` adds, and why columns are missing."""
    try:
        fit = fit_bulk(levels.values, levels.larger, levels.smaller)
    except InputError as error:
        return {}, dict.fromkeys((prefix + name for name in _BULK), str(error))
    low, high = fit.edges
    values = (fit.spikes, fit.sigma, fit.softrank, fit.scale, high, low)
    return {prefix + name: value for name, value in zip(_BULK, values, strict=True)}, {}


def random_columns(
    weight: Tensor, levels: Levels, generator: torch.Generator
) -> tuple[Columns, Reasons]:
    """What ``randomize=True`` adds: the same of copies whose entries are shuffled."""
    copies = REPLICAS if levels.smaller * levels.slices < FEW else 1
    shuffled = [levels_of(_shuffled(weight, generator)).values for _ in range(copies)]
    pooled = Levels(np.sort(np.concatenate(shuffled)), levels.larger, levels.smaller, 0, 0, 0.0)
    columns, reasons = bulk_columns(pooled, "rand_")
    largest, random = levels.values[-1], pooled.values[-1]
    columns["max_rand_eval"] = random
    if "rand_num_spikes" in columns:
        columns["num_traps"] = columns["rand_num_spikes"]
    if largest > 0:
        columns |= {
            "rand_distance": float(jensenshannon(levels.values, shuffled[0])),
            "ww_softrank": shuffled[0][-1] / largest,
            "ww_maxdist": largest - shuffled[0][-1],
        }
    return columns, reasons


_SIZES = (
    "N",
    "M",
    "rf",
    "Q",
    "num_evals",
    "sv_max",
    "sv_min",
    "rank_loss",
    "weak_rank_loss",
    "lambda_max",
    "norm",
    "spectral_norm",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "matrix_rank",
    "entropy",
)

_TAIL = (
    "alpha",
    "xmin",
    "xmax",
    "D",
    "sigma",
    "num_pl_spikes",
    "alpha_weighted",
    "log_alpha_norm",
)


OF_TAILS = ("Lambda", "num_fingers", "raw_alpha")
"""Columns of some fits of tails alone."""

NO_ERROR = "WeightWatcher gives no standard error of a tail with a cut-off"

_DETERMINANT = ("detX_num", "num_ERG_spikes", "detX_val", "detX_val_unrescaled", "ERG_gap")

_BULK = ("num_spikes", "sigma_mp", "mp_softrank", "W_scale", "bulk_max", "bulk_min")
_RANDOM = ("max_rand_eval", "num_traps", "rand_distance", "ww_softrank", "ww_maxdist")

COLUMNS = (
    *(*_SIZES, *_DETERMINANT, *_TAIL, *OF_TAILS),
    *(*_BULK, *(f"rand_{name}" for name in _BULK), *_RANDOM),
)
"""All columns by name."""

QUANTITIES.add(
    Quantity(
        Source.WEIGHT,
        PREFIX + column,
        unit="as WeightWatcher has it",
        formula=f"WeightWatcher's column {column}",
        citation="Martin & Mahoney, WeightWatcher",
    )
    for column in COLUMNS
)


def _tail_columns(x: Float[Array, " n"], tail: Tail) -> Columns:
    fit = fit_tail_as(x, tail)
    log_largest = math.log10(x[-1])
    relative = float(((x / x[-1]) ** fit.alpha).sum())
    values = (
        fit.alpha,
        fit.start,
        fit.end,
        fit.distance,
        fit.error,
        fit.count,
        fit.alpha * log_largest,
        fit.alpha * log_largest + math.log10(relative),
    )
    further = dict(zip(OF_TAILS, (fit.rate, fit.clipped, fit.raw_alpha), strict=True))
    named = {**dict(zip(_TAIL, values, strict=True)), **further}
    return {name: value for name, value in named.items() if value is not None}


def _entropy(x: Float[Array, " n"], rank: int) -> float:
    share = x / x.sum() + 1e-10
    return float(-(share * np.log(share)).sum() / math.log(rank + 1e-10))


def _shuffled(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Every slice with its own entries in random order."""
    slices = _slices(weight).flatten(1)
    order = [torch.randperm(slices.shape[1], generator=generator) for _ in slices]
    mixed = torch.stack([part[index] for part, index in zip(slices, order, strict=True)])
    if weight.ndim == 2:
        return mixed.reshape(weight.shape)
    outer, inner, *kernel = weight.shape
    return mixed.reshape(*kernel, outer, inner).permute(2, 3, 0, 1)
