"""What the claims read out of outcomes: spacings of pairs, slopes, distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.stats import beta

from spectrain.noise.estimate import Estimate, mean_estimate, symmetric
from spectrain.rmt import Law, TwoMode, fit_two_mode
from spectrain_studies.frame import Result, Results
from spectrain_studies.models.rbm import LatticeField
from spectrain_studies.randomness.config import Config

PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8))
"""Positions of the degenerate pairs among ten levels λ = μ² − x, ascending."""
MANY = 10**6
"""Degrees of freedom where an error is known rather than estimated."""


def pair_modes(config: Config) -> list[float]:
    """κ of the four pairs."""
    one = config.machine
    modes = LatticeField(one.sites, one.field_mass_squared).modes
    return [float(modes[low]) for low, _ in PAIRS]


def spacings(levels: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """S of one pair, in the shape of what leads the levels."""
    return levels[..., pair[1]] - levels[..., pair[0]]


def over_runs(values: np.ndarray) -> Estimate:
    """Mean of snapshots × runs; runs are independent, snapshots are not."""
    return mean_estimate(torch.from_numpy(np.ascontiguousarray(values.mean(0))))


def mean_spacing(result: Result, pair: tuple[int, int]) -> Estimate:
    """⟨S⟩ at rest."""
    return over_runs(spacings(result["levels"], pair))


def width(result: Result, pair: tuple[int, int]) -> tuple[TwoMode, float]:
    """The two-mode density that fits the levels of a pair, and the error of its σ.

    One row a run with all its snapshots: the error sums scores by run, so that it knows of their
    dependence.
    """
    levels = result["levels"][..., list(pair)]
    fit = fit_two_mode(levels.transpose(1, 0, 2).reshape(levels.shape[1], -1))
    return fit.law, fit.errors["sigma"]


def finite_rate(rate: float, x: float, kappa: float, mass_squared: float, sweeps: int) -> float:
    """√ of the factor by which α and k widen the linearised law ⟨S⟩ = √(2π(α/|B|)(μ² − κ)).

    A level is an autoregression with φ = 1 − r, r = 2αx/κ², driven by noise that itself forgets by
    ρ = (x/μ²)^{2k} an update: (1 + φρ)/((1 − φρ)(1 − r/2)).
    """
    r, rho = 2 * rate * x / kappa**2, (x / mass_squared) ** (2 * sweeps)
    phi = 1 - r
    return float(np.sqrt((1 + phi * rho) / ((1 - phi * rho) * (1 - r / 2))))


def coefficient(x: Sequence[float], y: Sequence[Estimate]) -> Estimate:
    """A of the weighted fit y = a x, its error widened where the fit is worse than its errors."""
    xs = np.array(x)
    values = np.array([each.value for each in y])
    weights = np.array([each.error for each in y]) ** -2.0
    information = float((weights * xs**2).sum())
    a = float((weights * xs * values).sum() / information)
    chi = float((weights * (values - a * xs) ** 2).sum() / max(len(xs) - 1, 1))
    return symmetric(a, max(1.0, chi) ** 0.5 * information**-0.5, replicas=MANY)


def slope(x: Sequence[float], y: Sequence[float], errors: Sequence[float]) -> Estimate:
    """Slope of the weighted line through (x, y), its error widened where the line misfits."""
    xs, ys, weights = np.array(x), np.array(y), np.array(errors) ** -2.0
    centred = xs - (weights * xs).sum() / weights.sum()
    information = float((weights * centred**2).sum())
    value = float((weights * centred * ys).sum() / information)
    level = float((weights * ys).sum() / weights.sum())
    chi = (weights * (ys - level - value * centred) ** 2).sum() / max(len(xs) - 2, 1)
    return symmetric(value, max(1.0, float(chi)) ** 0.5 * information**-0.5, replicas=MANY)


def log_slope(x: Sequence[float], y: Sequence[Estimate]) -> Estimate:
    """Exponent of a power law through estimates."""
    relative = [float(each.error or 0) / float(each.value or 1) for each in y]
    return slope(np.log(x).tolist(), [float(np.log(each.value or 1)) for each in y], relative)


def distance(sample: np.ndarray, law: Law) -> float:
    """Kolmogorov distance of a sample from a law."""
    at = law.distribution(np.sort(np.ravel(sample)))
    rank = np.arange(at.size) / at.size
    return float(np.maximum(np.abs(at - rank), np.abs(at - rank - 1 / at.size)).max())


def proportion(hits: int, count: int) -> Estimate:
    """A proportion with its exact 90 % interval (Clopper & Pearson 1934)."""
    p = hits / count
    low = float(beta.ppf(0.05, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.95, hits + 1, count - hits)) if hits < count else 1.0
    return Estimate(p, (p * (1 - p) / count) ** 0.5, low, high, count)


def ratio(top: Estimate, bottom: Estimate) -> Estimate:
    """Quotient of independent estimates, to first order in their errors."""
    a, b = float(top.value or 0), float(bottom.value or 1)
    error = abs(a / b) * np.hypot(float(top.error or 0) / a, float(bottom.error or 0) / b)
    return symmetric(a / b, float(error), replicas=min(top.replicas, bottom.replicas))


def base(rest: Results, config: Config) -> Result:
    """The point α = 0.1, |B| = 16 of the sweeps."""
    return rest.where(rate=config.machine.batch_rate, batch=config.machine.rate_batch).only()


def smallest(rest: Results) -> Result:
    """The point of least α/|B|, where pairs overlap least."""
    return min(rest, key=lambda result: (result.case.rate / result.case.batch, result.case.rate))


def bootstrap(
    statistic: Callable[[np.ndarray], float], runs: np.ndarray, *, draws: int = 200, seed: int = 0
) -> Estimate:
    """A statistic of independent rows with the standard error of its bootstrap."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(runs[rng.integers(len(runs), size=len(runs))]) for _ in range(draws)]
    return symmetric(statistic(runs), float(np.std(drawn, ddof=1)), replicas=len(runs))
