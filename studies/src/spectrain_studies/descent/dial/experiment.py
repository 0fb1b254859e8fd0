"""Two dials of the stable rank: a spike of adjustable height, and the number of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrain.core import Step
from spectrain.descent import LeastSquares
from spectrain.matrix import spectrum, stable_rank
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.random_features.experiment import descend, draw_problem
from spectrain_studies.frame import Experiment, Outcome

ROUND_OFF = 1e-20
"""Share of the first loss below which ratios of gains mean nothing."""


@dataclass(frozen=True)
class DialCase:
    """Least squares with A = I + λ11ᵀ.

    Attributes:
        size: of A.
        height: λ.
        steps: of each course.
        seed: of W♯.
    """

    size: int
    height: float
    steps: int
    seed: int


def run_dial(case: DialCase) -> Outcome:
    """Losses of both methods from 0; along gradient descent, nr and Δ_spectral/Δ_euclidean.

    Ratios are NaN once the loss has fallen to round-off.
    """
    generator = torch.Generator().manual_seed(case.seed)
    features = torch.eye(case.size, dtype=torch.float64) + case.height
    truth = torch.randn(case.size, case.size, generator=generator, dtype=torch.float64)
    problem = LeastSquares(features, truth / case.size**0.5 @ features)
    courses = [descend(problem, torch.zeros_like(truth), case.steps, step) for step in Step]
    found = dict(zip(Step, courses, strict=True))
    euclidean = found[Step.EUCLIDEAN]
    alive = euclidean.losses > ROUND_OFF * euclidean.losses[0]

    def living(values: Tensor) -> NDArray[np.float64]:
        return values.masked_fill(~alive, float("nan")).numpy()

    return {
        "stable_rank": stable_rank(spectrum(features, method="exact")).item(),
        "gd_loss": euclidean.losses.numpy(),
        "specgd_loss": found[Step.SPECTRAL].losses.numpy(),
        "nuclear_ranks": living(euclidean.nuclear_ranks),
        "gains": living(euclidean.spectral_gains / euclidean.euclidean_gains),
    }


@dataclass(frozen=True)
class ColumnsCase:
    """Stable rank of random features of many widths and numbers of columns."""

    activation: str
    width: int
    inputs: int
    columns: int
    seed: int


def run_columns(case: ColumnsCase) -> Outcome:
    """st(A)."""
    generator = torch.Generator().manual_seed(case.seed)
    problem = draw_problem(case.activation, case.width, case.inputs, case.columns, generator)
    return {"stable_rank": stable_rank(spectrum(problem.features, method="exact")).item()}


def _dial_cases(config: Config) -> list[DialCase]:
    setup = config.dynamics.dial
    return [
        DialCase(setup.size, height, setup.steps, seed)
        for height in setup.heights
        for seed in range(setup.seeds)
    ]


def _column_cases(config: Config) -> list[ColumnsCase]:
    setup = config.dynamics.dial
    return [
        ColumnsCase(activation, setup.size, setup.size // 2, columns, seed)
        for activation in ("relu", "swiglu")
        for columns in setup.columns
        for seed in range(setup.column_seeds)
    ]


DIAL: Experiment[Config] = Experiment("dial", run_dial, _dial_cases)
COLUMNS: Experiment[Config] = Experiment("columns", run_columns, _column_cases)
