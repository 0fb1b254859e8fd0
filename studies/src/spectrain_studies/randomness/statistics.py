"""What the claims read out of outcomes: spacings of pairs, their widths, finite rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain.rmt import Law, TwoMode, fit_two_mode
from spectrain_studies.frame import Result, Results
from spectrain_studies.frame.statistics import distance, share
from spectrain_studies.models.rbm import LatticeField
from spectrain_studies.randomness.config import Config

PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8))
"""Positions of the degenerate pairs among ten levels λ = μ² − x, ascending."""
PERMILLE = 1.95
"""Kolmogorov distance times √n that chance exceeds in one of a thousand cases."""
T = TypeVar("T")
Pair = tuple[int, int]


def pair_modes(config: Config) -> list[float]:
    """κ of the four pairs."""
    one = config.machine
    modes = LatticeField(one.sites, one.field_mass_squared).modes
    return [float(modes[low]) for low, _ in PAIRS]


def on_pairs(config: Config, measure: Callable[[Pair, float], T], first: int = 4) -> dict[str, T]:
    """What is measured of each of the first pairs, which has its κ."""
    pairs = list(zip(PAIRS, pair_modes(config), strict=True))[:first]
    return {f"{kappa:.3f}": measure(pair, kappa) for pair, kappa in pairs}


def spacings(levels: np.ndarray, pair: Pair) -> np.ndarray:
    """S of one pair, in the shape of what leads the levels."""
    return np.asarray(levels[..., pair[1]] - levels[..., pair[0]])


def over_runs(values: np.ndarray) -> Estimate:
    """Mean of snapshots × runs; runs are independent, snapshots are not."""
    return mean_estimate(torch.from_numpy(np.ascontiguousarray(values.mean(0))))


def mean_spacing(result: Result, pair: Pair) -> Estimate:
    """⟨S⟩ at rest."""
    return over_runs(spacings(result["levels"], pair))


def scaled_distance(values: np.ndarray, law: Law) -> float:
    """√n times Kolmogorov's distance of snapshots × runs from a law, every second snapshot.

    Neighbouring snapshots are too close to count as independent; see :data:`PERMILLE`.
    """
    kept = values[::2]
    return kept.shape[0] ** 0.5 * kept.shape[1] ** 0.5 * distance(kept, law.distribution)


def counted(hits: int, count: int) -> Estimate:
    """A share of independent cases."""
    return share(np.arange(count) < hits)


def width(result: Result, pair: Pair) -> tuple[TwoMode, float]:
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


def base(rest: Results, config: Config) -> Result:
    """The point α = 0.1, |B| = 16 of the sweeps."""
    return rest.where(rate=config.machine.batch_rate, batch=config.machine.rate_batch).only()


def smallest(rest: Results) -> Result:
    """The point of least α/|B|, where pairs overlap least."""
    return min(rest, key=lambda result: (result.case.rate / result.case.batch, result.case.rate))
