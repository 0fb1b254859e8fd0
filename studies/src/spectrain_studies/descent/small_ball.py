"""Theorem 2.2 at both sample sizes, on laws that satisfy its small-ball condition exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erfc, log, sqrt

import numpy as np
import torch

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.sampling import Law
from spectrain_studies.frame import Experiment, Outcome

RARE, ENERGY, COORDINATES = 1e-3, 1.0, 10**6
"""Probability of the rare spike, energy of the rest over the spike's, and its dimension."""

GAUSSIAN_LEVEL = 0.25
"""c0 at which the Gaussian law is held against the condition."""


@dataclass(frozen=True)
class SmallBall:
    """Samples of a law.

    Attributes:
        law: ``rare``, a multiple of e_1 with probability p0, else a uniform coordinate vector; or
            ``gaussian``, N(0, I) in 32 dimensions.
        failure: c; the bound may fail with probability 2c.
        size: ``printed`` log(1/2c)/(8p0), or ``corrected`` 8·log(1/c)/p0.
        trials: samples.
        seed: of the draws.
    """

    law: str
    failure: float
    size: str
    trials: int
    seed: int = 0

    @property
    def level(self) -> float:
        """c0 of the condition P(⟨z, u⟩² ≥ c0‖M‖) ≥ p0."""
        return 1 / RARE if self.law == "rare" else GAUSSIAN_LEVEL

    @property
    def probability(self) -> float:
        """p0 at that level."""
        return RARE if self.law == "rare" else erfc(sqrt(GAUSSIAN_LEVEL / 2))

    @property
    def rank(self) -> float:
        """er(M)."""
        return 1 + ENERGY if self.law == "rare" else 32.0

    @property
    def samples(self) -> int:
        """The number of columns from which on the theorem speaks."""
        if self.size == "printed":
            return ceil(log(1 / (2 * self.failure)) / (8 * self.probability))
        return ceil(8 * log(1 / self.failure) / self.probability)

    @property
    def bound(self) -> float:
        """2·er(M)/(p0·c0·c), eq. (2.3).

        Example:
            >>> SmallBall("rare", 0.1, "printed", 1).bound  # p0·c0 = 1 and er(M) = 2
            40.0
        """
        return 2 * self.rank / (self.probability * self.level * self.failure)


def run_small_ball(case: SmallBall) -> Outcome:
    """Which samples exceed the bound, and their median stable rank."""
    generator = torch.Generator().manual_seed(case.seed)
    stable = (rare_stable_ranks if case.law == "rare" else _gaussian)(case, generator)
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


def _gaussian(case: SmallBall, generator: torch.Generator) -> np.ndarray:
    law = Law("gaussian", int(case.rank))
    drawn = [law.draw(case.samples, generator) for _ in range(case.trials)]
    norms = [torch.linalg.svdvals(z) for z in drawn]
    return np.array([(s.square().sum() / s[0].square()).item() for s in norms])


def _cases(config: Config) -> Sequence[SmallBall]:
    sampling = config.theory.sampling
    return [
        SmallBall(law, failure, size, sampling.trials)
        for law in ("rare", "gaussian")
        for failure in sampling.failures
        for size in ("printed", "corrected")
    ]


SMALL_BALL: Experiment[Config] = Experiment("small-ball", run_small_ball, _cases)
