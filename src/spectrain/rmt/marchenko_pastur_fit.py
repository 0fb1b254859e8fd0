"""Fits of the Marchenko-Pastur law to measured spectra, with errors that know of rigidity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.bulk_estimators import (
    BulkLaw,
    Part,
    Scale,
    histogram_scale,
    largest_gap,
    likelihood_scale,
)
from spectrain.rmt.ensembles import laguerre_eigenvalues
from spectrain.rmt.law import Array, Numbers, as_float, finite_sample
from spectrain.rmt.marchenko_pastur import MarchenkoPastur
from spectrain.rmt.repelled_bulk import RepelledBulk, transport
from spectrain.rmt.spikes import count_spikes

Method: TypeAlias = Literal["likelihood", "histogram"]
Estimator: TypeAlias = Callable[[Sequence[Part]], Scale]
ESTIMATORS: dict[Method, Estimator] = {"likelihood": likelihood_scale, "histogram": histogram_scale}

SIMULATED_COLUMNS = 512
"""Wider matrices are simulated at this width: by rigidity the errors fall as 1/N."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error, and an interval that covers the truth at the fit's level."""

    value: float
    error: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MarchenkoPasturFit:
    """The random bulk found in one spectrum, or in several of equal shape.

    Attributes:
        area: A, the fraction of the eigenvalues that the random bulk accounts for; 1 − A are
            eigenvalues that no random matrix would show.
        variance: σ² of the random part: the variance of its entries times M.
        level: coverage of both intervals.
        outliers: number of eigenvalues that stand apart, in each matrix.
        p_value: of the Kolmogorov distance between bulk and law, from the same simulated matrices:
            small where the bulk is not that of a random matrix. (Beyond 512 columns a little too
            small: at 768, p ≤ 0.1 in 16 % of random bulks.)
        laws: law of the bulk of each matrix.
        shape: (M, N).
    """

    area: Estimate
    variance: Estimate
    level: float
    outliers: tuple[int, ...]
    p_value: float
    laws: tuple[BulkLaw, ...]
    shape: tuple[int, int]

    @property
    def law(self) -> MarchenkoPastur:
        """P(x; σ², A) with r = N/M at the fitted values: what the parameters mean."""
        rows, columns = self.shape
        return MarchenkoPastur(columns / rows, self.variance.value, self.area.value)

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """The fitted density of the bulk, of area A: what lies on the histogram."""
        bulk = np.mean([law.density(as_float(x)) for law in self.laws], axis=0)
        return np.asarray(self.area.value * bulk)


def fit_marchenko_pastur(
    eigenvalues: Float[Array, "*matrices n"],
    shape: tuple[int, int],
    *,
    generator: torch.Generator,
    method: Method = "likelihood",
    repulsion: bool = True,
    replicates: int = 99,
    level: float = 0.9,
) -> MarchenkoPasturFit:
    """Fit area A and variance σ² of the random bulk to eigenvalues of WᵀW.

    1. Outliers are counted in every matrix (:func:`~spectrain.rmt.count_spikes`): the tail.
    2. The rest follows the law of a bulk with these outliers
       (:class:`~spectrain.rmt.RepelledBulk`), whose scale is fitted. ``"likelihood"``: eigenvalues
       between the 10 % and 90 % quantiles count by value, the others by number, so that neither
       the fluctuating edges nor undetected spikes near them bend the fit. ``"histogram"``: least
       squares on Freedman-Diaconis bins.
    3. A is the number of eigenvalues below the cut (all bins) against what the law has there.
    4. Errors: the same estimate on simulated matrices. Eigenvalues of one matrix are rigid:
       errors fall as 1/N, not as 1/√N, and taking them for independent draws gives nonsense.
       The intervals are those of the pivots σ̂²/σ² and Â/A, which corrects for bias.

    At level 90 % they covered the truth in 87 to 93 % of sampled matrices, 64 × 16 to 1024 × 768,
    with up to a fifth of planted tail from twice the threshold of visibility on. A spike too weak
    to be seen (below 1.5 thresholds) belongs to the bulk, as far as any fit can tell.

    Args:
        eigenvalues: spectra of WᵀW (squared singular values), N each, in any order. Several
            matrices of one shape, such as the heads of a layer, share A and σ².
        shape: (M, N), M ≥ N.
        generator: source of the simulated matrices.
        method: which estimate.
        repulsion: False fits the plain law of ratio N/M whatever stands apart, as the literature
            does. That describes a histogram with A near 1; where A is well below 1, its σ² is not
            that of the random entries.
        replicates: number of simulated matrices (of sets of them).
        level: coverage of the intervals.

    Raises:
        InputError: a value is not finite, the number of eigenvalues is not N, fewer than two
            eigenvalues are left to the bulk, or a setting is out of range.

    Source: Aarts, Hajizadeh, Lucini & Park, arXiv:2411.13512, for the form; rigidity: Bai &
    Silverstein (2004).

    Example:
        >>> from spectrain.rmt import laguerre_eigenvalues
        >>> generator = torch.Generator().manual_seed(0)
        >>> heads = laguerre_eigenvalues((64, 16), count=4, generator=generator)
        >>> fit = fit_marchenko_pastur(heads, (64, 16), generator=generator)
        >>> bool(abs(fit.variance.value - 1) < 3 * fit.variance.error), fit.outliers
        (True, (0, 0, 0, 0))
    """
    if replicates < 19 or not 0 < level < 1:
        raise InputError(
            f"replicates is {replicates} and level {level}",
            remedy="pass at least 19 replicates and a level between 0 and 1",
        )
    spectra = np.sort(np.atleast_2d(finite_sample("eigenvalues", eigenvalues)), axis=-1)
    taken = tuple(count_spikes(spectrum, shape).count for spectrum in spectra)
    family = _Family(
        shape, tuple(_split(*pair) for pair in zip(spectra, taken, strict=True)), repulsion
    )
    estimator = ESTIMATORS[method]

    variance, parts, scale = family.fit(estimator)
    simulated = [Part(family.simulate(part, replicates, generator), part.law) for part in parts]
    drawn = estimator(simulated)
    shrink = simulated[0].size / parts[0].size
    area = float(scale.mass[0]) * sum(part.size for part in parts) / spectra.size
    area_spread = 1 + shrink * (drawn.mass - 1)
    variance_spread = np.exp(family.response(variance) * shrink * drawn.log)
    gaps = shrink * largest_gap(simulated, drawn)
    exceeded = int((gaps >= largest_gap(parts, scale)[0]).sum())
    return MarchenkoPasturFit(
        area=_estimate(area, area / area_spread, level),
        variance=_estimate(variance, variance / variance_spread, level),
        level=level,
        outliers=taken,
        p_value=(1 + exceeded) / (1 + replicates),
        laws=tuple(part.law for part in parts),
        shape=shape,
    )


@dataclass(frozen=True, slots=True)
class _Family:
    """Bulks and tails of the matrices, and the laws that the bulks may have."""

    shape: tuple[int, int]
    spectra: tuple[tuple[Float[Array, "1 _"], tuple[float, ...]], ...]
    repulsion: bool

    def laws(self, variance: float) -> list[BulkLaw]:
        rows, columns = self.shape
        if self.repulsion:
            return [RepelledBulk(self.shape, variance, tail) for _, tail in self.spectra]
        return [MarchenkoPastur(columns / rows, variance)] * len(self.spectra)

    def fit(self, estimator: Estimator) -> tuple[float, list[Part], Scale]:
        """The variance at which the estimator asks for no further stretching."""
        variance = float(np.mean([bulk.mean() for bulk, _ in self.spectra]))
        for _ in range(30):
            laws = self.laws(variance)
            parts = [Part(bulk, law) for (bulk, _), law in zip(self.spectra, laws, strict=True)]
            scale = estimator(parts)
            if abs(scale.log[0]) < 1e-6:
                break
            variance *= float(np.exp(scale.log[0]))
        return variance, parts, scale

    def response(self, variance: float) -> float:
        """Slope d log σ²/d log scale of the bulk: above 1, since outliers hold the bulk back."""
        medians = [
            np.sum([law.quantile(0.5) for law in self.laws(v)]) for v in (variance, 1.01 * variance)
        ]
        return float(np.log(1.01) / np.log(medians[1] / medians[0]))

    def simulate(
        self, part: Part, replicates: int, generator: torch.Generator
    ) -> Float[Array, "replicates n"]:
        """Bulks of random matrices that follow the part's law."""
        rows, columns = self.shape
        beside = rows - columns + part.size if self.repulsion else part.size * rows / columns
        size = min(part.size, SIMULATED_COLUMNS)
        shape = (max(size, round(beside * size / part.size)), size)
        levels = laguerre_eigenvalues(shape, count=replicates, generator=generator)
        return transport(levels, MarchenkoPastur(size / shape[0]), part.law)


def _split(
    spectrum: Float[Array, " n"], taken: int
) -> tuple[Float[Array, "1 _"], tuple[float, ...]]:
    """Bulk and outliers of an ascending spectrum."""
    kept = spectrum.size - taken
    if kept < 2:
        raise InputError(
            f"{taken} of {spectrum.size} eigenvalues stand apart", remedy="there is no bulk to fit"
        )
    return spectrum[None, :kept], tuple(spectrum[kept:].tolist())


def _estimate(value: float, draws: Float[Array, " replicates"], level: float) -> Estimate:
    """Interval between order statistics of B draws, the k-th standing for probability k/(B + 1)."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="weibull")
    return Estimate(value, float(draws.std(ddof=1)), (float(low), float(high)))
