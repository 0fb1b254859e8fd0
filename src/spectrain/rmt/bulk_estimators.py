"""Scale and mass of a bulk whose law has a known shape: censored likelihood and least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.integrate import trapezoid

from spectrain.rmt.law import Array, Numbers, QuantileLaw, bisect

CENSORED = (0.1, 0.9)  # quantiles outside which a level only counts: edges and spikes live there
WIDEST = 0.5  # largest |log scale| that is looked for around the mean of the levels


@runtime_checkable
class BulkLaw(QuantileLaw, Protocol):
    """What the estimators ask of a law of total mass one."""

    def log_slope(self, x: Numbers) -> Float[Array, "*shape"]:
        """Logarithmic slope d log p/d log x, inside the edges."""


@dataclass(frozen=True, slots=True)
class Scale:
    """By how much levels are stretched against their law, and how many there are against it.

    Attributes:
        log: logarithm of the scale, one a replicate.
        mass: number of levels divided by the number that the law, so stretched, stands for.
    """

    log: Float[Array, " replicates"]
    mass: Float[Array, " replicates"]


class Part:
    """The bulk of one matrix in all replicates, and its law, tabulated: it is asked often."""

    def __init__(self, levels: Float[Array, "replicates n"], law: BulkLaw) -> None:
        lower, upper = law.edges
        angle = np.linspace(np.pi, 0, 1027)[1:-1]
        self.levels = levels
        self.law = law
        self.x = (lower + upper) / 2 + (upper - lower) / 2 * np.cos(angle)
        self.below = law.distribution(self.x)
        self.mean = upper - float(trapezoid(self.below, self.x))

    @property
    def size(self) -> int:
        """Number of levels."""
        return self.levels.shape[1]

    def distribution(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Mass of the law below x."""
        return np.interp(x, self.x, self.below, left=0.0, right=1.0)

    def quantile(self, probability: tuple[float, ...]) -> Float[Array, " quantiles"]:
        """Points below which these fractions of the law lie."""
        return np.interp(probability, self.below, self.x)


def start(parts: Sequence[Part]) -> Float[Array, " replicates"]:
    """Log scale at which the laws have the mean of the levels."""
    total = sum(part.levels.sum(-1) for part in parts)
    return np.asarray(np.log(total / sum(part.size * part.mean for part in parts)))


def likelihood_scale(parts: Sequence[Part]) -> Scale:
    """Censored likelihood: levels between the cuts enter by value, the others by their number.

    The cuts l and u are the 10 % and 90 % quantiles of the laws at the scale of the mean.
    Maximises over the scale c the sum over matrices of
    n_< log F(l/c) + Σ log p(x/c)/c + n_> log(1 − F(u/c)). The mass is then
    Σ(n − n_>) / Σ n F(u/c): what lies above the upper cut has no say in it.
    """
    centred = start(parts)
    likelihoods = [_CensoredLikelihood(part, centred) for part in parts]
    low = max(likelihood.lowest for likelihood in likelihoods)
    high = min(likelihood.highest for likelihood in likelihoods)
    log = bisect(
        lambda scale: -np.sum([each.score(np.asarray(scale)) for each in likelihoods], axis=0),
        low,
        high,
        centred.shape,
    )
    below = np.sum([each.below for each in likelihoods], axis=0)
    expected = np.sum([each.expected_below(log) for each in likelihoods], axis=0)
    return Scale(centred + log, below / expected)


class _CensoredLikelihood:
    def __init__(self, part: Part, centred: Float[Array, " replicates"]) -> None:
        levels = part.levels * np.exp(-centred)[:, None]
        low, high = (float(cut) for cut in part.quantile(CENSORED))
        seen = (levels >= low) & (levels <= high)
        self.part, self.cuts, self.seen = part, (low, high), seen
        self.levels = np.where(seen, levels, high)
        self.slope = part.law.log_slope(part.x)
        self.flow = part.x * part.law.density(part.x)
        self.below_low = (levels < low).sum(-1)
        self.below = self.below_low + seen.sum(-1)
        self.lowest = max(-WIDEST, float(np.log(high / part.x[-1])))
        self.highest = min(WIDEST, float(np.log(low / part.x[0])))

    def score(self, log_scale: Float[Array, " replicates"]) -> Float[Array, " replicates"]:
        """Derivative of the log-likelihood in the logarithm of the scale."""
        shrink, x = np.exp(-log_scale), self.part.x
        slope = np.interp(self.levels * shrink[:, None], x, self.slope)
        seen = np.where(self.seen, -1 - slope, 0.0).sum(-1)
        low, high = (cut * shrink for cut in self.cuts)
        left = np.interp(low, x, self.flow) / self.part.distribution(low)
        right = np.interp(high, x, self.flow) / (1 - self.part.distribution(high))
        return np.asarray(seen - self.below_low * left + (self.part.size - self.below) * right)

    def expected_below(self, log_scale: Float[Array, " replicates"]) -> Float[Array, " replicates"]:
        """Number of levels that the stretched law has below the upper cut."""
        return self.part.size * self.part.distribution(self.cuts[1] * np.exp(-log_scale))


def histogram_scale(parts: Sequence[Part]) -> Scale:
    """Least squares: scale c and mass A that minimise Σ_bins (h − A ΔF(·/c))².

    h is the share of levels in a Freedman-Diaconis bin, ΔF the law's, averaged over matrices by
    their numbers of levels. The best A at given c is explicit; c is found on a grid and refined by
    a parabola.
    """
    centred, bins = start(parts), freedman_diaconis(parts)
    sizes = np.array([part.size for part in parts])
    levels = np.concatenate([part.levels for part in parts], axis=1)
    shares = _shares(levels * np.exp(-centred)[:, None], bins)
    reach = min(WIDEST, 20 / sizes.sum())
    grid = np.linspace(-reach, reach, 401)
    stretched = bins * np.exp(-grid)[:, None]
    below = sum(part.size * part.distribution(stretched) for part in parts)
    model = np.diff(below / sizes.sum(), axis=-1)
    overlap, norm = shares @ model.T, (model**2).sum(-1)
    gain = overlap**2 / norm
    best = np.clip(gain.argmax(-1), 1, grid.size - 2)
    before, at, after = (np.take_along_axis(gain, (best + k)[:, None], 1)[:, 0] for k in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -np.finfo(np.float64).tiny)
    shift = np.clip(0.5 * (before - after) / bend, -1, 1)
    log = grid[best] + shift * (grid[1] - grid[0])
    return Scale(centred + log, (overlap / norm)[np.arange(best.size), best])


def freedman_diaconis(parts: Sequence[Part]) -> Float[Array, " edges"]:
    """Bins of width 2 IQR/n^⅓ over the support of the laws, with an empty one on each side.

    The quartiles are those of the laws, so that all replicates share their bins.
    """
    quarter, three_quarters = np.mean([part.quantile((0.25, 0.75)) for part in parts], axis=0)
    width = 2 * (three_quarters - quarter) / sum(part.size for part in parts) ** (1 / 3)
    lower = max(min(part.law.edges[0] for part in parts) - width, 0.0)
    upper = max(part.law.edges[1] for part in parts) + width
    return np.linspace(lower, upper, int(np.ceil((upper - lower) / width)) + 1)


def _shares(
    levels: Float[Array, "replicates n"], bins: Float[Array, " edges"]
) -> Float[Array, "replicates bins"]:
    rows, width = levels.shape[0], bins.size + 1
    index = np.searchsorted(bins, levels, side="right") + width * np.arange(rows)[:, None]
    counts = np.bincount(index.ravel(), minlength=rows * width).reshape(rows, width)
    return counts[:, 1:-1] / levels.shape[1]


def largest_gap(parts: Sequence[Part], scale: Scale) -> Float[Array, " replicates"]:
    """Kolmogorov distance between the levels below the upper cut and the law, so stretched."""
    shrink = np.exp(-scale.log)[:, None]
    levels = np.concatenate([part.distribution(part.levels * shrink) for part in parts], axis=1)
    levels.sort(axis=1)
    steps = (np.arange(levels.shape[1]) + 0.5) / levels.shape[1]
    gaps = np.where(levels <= CENSORED[1], np.abs(levels - steps), 0.0)
    return np.asarray(gaps.max(axis=1))
