"""Theorem 2.2 at both sample sizes, on a law that meets its small-ball condition exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np
import torch

from spectrain_studies.descent.config import Config
from spectrain_studies.frame import Experiment, Outcome

RARE, ENERGY, COORDINATES = 1e-3, 1.0, 10**6
"""Probability p0 of the spike, energy of the rest over the spike's, and its dimension."""

RANK = 1 + ENERGY
"""er(M)."""


@dataclass(frozen=True)
class SmallBall:
    """Samples of a law: a multiple of e_1 with probability p0, else a uniform coordinate vector.

    It meets the condition P(⟨z, u⟩² ≥ c0‖M‖) ≥ p0 with c0 = 1/p0, and its stable rank can exceed
    the bound, as that of a matrix of few rows could not.

    Attributes:
        failure: c; the bound may fail with probability 2c.
        size: ``printed`` log(1/2c)/(8p0), or ``corrected`` 8·log(1/c)/p0.
        trials: samples.
        seed: of the draws.
    """

    failure: float
    size: str
    trials: int
    seed: int = 0

    @property
    def samples(self) -> int:
        """The number of columns from which on the theorem speaks."""
        if self.size == "printed":
            return ceil(log(1 / (2 * self.failure)) / (8 * RARE))
        return ceil(8 * log(1 / self.failure) / RARE)

    @property
    def bound(self) -> float:
        """2·er(M)/(p0·c0·c), (2.3), with p0·c0 = 1.

        Example:
            >>> SmallBall(0.1, "printed", 1).bound
            40.0
        """
        return 2 * RANK / self.failure


def run_small_ball(case: SmallBall) -> Outcome:
    """Which samples exceed the bound, and their median stable rank."""
    stable = rare_stable_ranks(case, torch.Generator().manual_seed(case.seed))
    return {"failed": stable > case.bound, "median": float(np.median(stable))}


def rare_stable_ranks(case: SmallBall, generator: torch.Generator) -> np.ndarray:
    """st(Z_n) of the rare law, whose columns are multiples of coordinate vectors.

    With K spikes of energy a = (1 − p0)/(p0·ENERGY) among n columns, the others of energy 1 in
    counts c_j, st = (aK + n − K)/max(aK, max c_j).
    """
    spike = (1 - RARE) / (RARE * ENERGY)
    found = []
    for _ in range(case.trials):
        spikes = int((torch.rand(case.samples, generator=generator) < RARE).sum())
        rest = torch.randint(COORDINATES, (case.samples - spikes,), generator=generator)
        most = int(rest.unique(return_counts=True)[1].max()) if len(rest) else 0
        found.append((spike * spikes + len(rest)) / max(spike * spikes, most))
    return np.array(found)


def _cases(config: Config) -> Sequence[SmallBall]:
    sampling = config.theory.sampling
    return [
        SmallBall(failure, size, sampling.trials)
        for failure in sampling.failures
        for size in ("printed", "corrected")
    ]


SMALL_BALL: Experiment[Config] = Experiment("small-ball", run_small_ball, _cases)
