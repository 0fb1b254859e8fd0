"""Spiked models drawn to the letter of Assumptions E–H, and what gradient descent does on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import normal
from spectrain_studies.descent.nuclear_ranks.experiment import MODELS, Descent
from spectrain_studies.frame import Experiment, Outcome

BULK = (0.5, 1.5)
"""Range of the bulk: c₁ and c₂."""

BURN_IN, HORIZON = 2.0, 1.0
"""C₁ and C₂ of the window [C₁d^{u−ℓ}log d, C₂d^u]; the theorems allow any C₂ and some C₁."""

ACCURACIES = (1e-2, 1e-4, 1e-6)
"""Relative errors of the loss."""


@dataclass(frozen=True)
class SpikedCase:
    """One draw.

    Attributes:
        model: ``realizable`` or ``teacher``.
        dimension: d, the number of features.
        lower: ℓ; the smallest spike is d^ℓ.
        upper: u; the largest is d^u.
        spikes: r or p, their number.
        seed: of the draw.
    """

    model: str
    dimension: int
    lower: float
    upper: float
    spikes: int
    seed: int

    @property
    def window(self) -> tuple[int, int]:
        """First and last step of the theorems' window."""
        d = self.dimension
        first = ceil(BURN_IN * d ** (self.upper - self.lower) * log(d))
        return first, int(HORIZON * d**self.upper)


@dataclass(frozen=True)
class Spiked:
    """A spiked problem.

    Attributes:
        moment: B = S + Σ.
        first: W̄B̄, minus the gradient at 0.
        truth: W̄ (W♯ where realizable), entries of variance 1/d.
        bulk: M or M̄, the columns of W̄Q beyond the spikes, Q the (left) vectors of B̄.
        bulk_one: M̄ of Theorem 3.9, the columns of W̄L̄ up to the rank of B̄.
    """

    moment: Float[Tensor, "k k"]
    first: Float[Tensor, "m k"]
    truth: Float[Tensor, "m teacher"]
    bulk: Float[Tensor, "m rest"]
    bulk_one: Float[Tensor, "m rank"]


def draw_spiked(case: SpikedCase, generator: torch.Generator) -> Spiked:
    """B = UDUᵀ + Σ with a bulk in its own random basis; the teacher's B̄ = ŪDUᵀ + Σ̄.

    The teacher has 3d/2 features and shares the right vectors of the spikes, as Assumption H asks.

    Source:
        Davis & Drusvyatskiy, Assumptions E (r = 1, ℓ = u = 1), F, G and H.
    """
    d, count = case.dimension, case.spikes

    def orthonormal(rows: int, columns: int) -> Tensor:
        return torch.linalg.qr(normal(generator, rows, columns)).Q

    spikes = torch.logspace(
        log(d**case.upper), log(d**case.lower), count, base=np.e, dtype=torch.float64
    )
    bulk = torch.linspace(*BULK, d, dtype=torch.float64)
    right, basis = orthonormal(d, count), orthonormal(d, d)
    moment = right * spikes @ right.mT + basis * bulk @ basis.mT
    features = d
    cross = moment
    if case.model == "teacher":
        features = 3 * d // 2
        own = orthonormal(features, d) * bulk @ orthonormal(d, d).mT
        cross = orthonormal(features, count) * spikes @ right.mT + own
    truth = normal(generator, d, features) / d**0.5
    left = torch.linalg.svd(cross, full_matrices=False).U
    rotated = truth @ left
    return Spiked(moment, truth @ cross, truth, rotated[:, count:], rotated)


def run_spiked(case: SpikedCase) -> Outcome:
    """Nuclear and Frobenius norms of the gradient over the window, its end, and times to accuracy.

    ``lasting`` has the last steps at which nr ≥ d^{3/4} and nr ≥ d/2; ``times`` the steps that
    gradient descent takes to each relative error (realizable only).
    """
    problem = draw_spiked(case, torch.Generator().manual_seed(case.seed))
    descent, d = Descent.of(problem.first, problem.moment), case.dimension
    first, last = case.window
    steps = np.unique(np.geomspace(first, max(last, first + 1), 10).round())
    nuclear, frobenius = descent.norms(steps.tolist())
    far = int(100 * d**case.upper * log(d))
    lasting = [_last_above(descent, level, last, far) for level in (d**0.75, d / 2)]
    found = {
        "nuclear": nuclear.numpy(),
        "frobenius": frobenius.numpy(),
        "bulk_nuclear": torch.linalg.matrix_norm(problem.bulk, "nuc").item(),
        "bulk_frobenius": problem.bulk.norm().item(),
        "truth_frobenius": problem.truth.norm().item(),
        "lasting": lasting,
    }
    if case.model == "realizable":
        weight = (problem.truth @ descent.basis).square().sum(0) * descent.eigenvalues
        found["times"] = [_time_to(error, descent, weight, far) for error in ACCURACIES]
    return found


def _last_above(descent: Descent, level: float, low: int, high: int) -> int:
    return last_step(lambda step: descent.nuclear_ranks([step])[0].item() >= level, low, high)


def _time_to(accuracy: float, descent: Descent, weight: Tensor, high: int) -> int:
    """Steps until Σ w_j(1 − ηλ_j)^{2t} is below a share of its first value."""
    shrink = (1 - descent.rate * descent.eigenvalues).clamp_min(0)

    def short(step: float) -> bool:
        return bool((weight * shrink ** (2 * step)).sum() > accuracy * weight.sum())

    return last_step(short, 0, high) + 1


def last_step(true: Callable[[float], bool], low: int, high: int) -> int:
    """The last step in [low, high] at which a condition holds that, once lost, stays lost.

    Example:
        >>> last_step(lambda t: t <= 37, 0, 1000)
        37
    """
    if not true(low):
        return low
    while high - low > max(1, low // 500):
        middle = (low + high) // 2
        low, high = (middle, high) if true(middle) else (low, middle)
    return low


def run_one_step(case: SpikedCase) -> Outcome:
    """Nuclear ranks at 0 and after one step of η = 1/(1 + ‖B‖_op), with what bounds them."""
    problem = draw_spiked(case, torch.Generator().manual_seed(case.seed))
    largest = torch.linalg.eigvalsh(problem.moment)[-1].item()
    descent = Descent.of(problem.first, problem.moment, 1 / (1 + largest))
    values = torch.linalg.svdvals(problem.moment - descent.rate * problem.moment @ problem.moment)
    ranks = descent.nuclear_ranks([0, 1])
    nuclear = torch.linalg.matrix_norm(problem.bulk_one, "nuc").item()
    truth = torch.linalg.matrix_norm(problem.truth, "nuc").item()
    norm = problem.truth.norm().item()
    return {
        "at_start": ranks[0].item(),
        "stepped": ranks[1].item(),
        "condition": (values[0] / values[-1]).item(),
        "truth_rank": (truth / norm) ** 2,
        "bulk_ratio": nuclear / norm,
    }


def _cases(config: Config) -> list[SpikedCase]:
    setup = config.dynamics.spiked
    return [
        SpikedCase(model, dimension, lower, upper, setup.spikes, seed)
        for model in MODELS
        for lower, upper in setup.exponents
        for dimension in setup.dimensions
        for seed in range(setup.seeds)
    ]


CROSSED_EXPONENTS = ((0.75, 1.5), (1.0, 1.75))
"""(ℓ, u) with u − ℓ above the ½ of Corollary 3.12, and a window that is not empty at small d."""


def _crossed_cases(config: Config) -> list[SpikedCase]:
    setup = config.dynamics.spiked
    return [
        SpikedCase("teacher", dimension, lower, upper, setup.spikes, seed)
        for lower, upper in CROSSED_EXPONENTS
        for dimension in setup.dimensions[:3]
        for seed in range(setup.seeds)
    ]


def _one_step_cases(config: Config) -> list[SpikedCase]:
    setup = config.dynamics.spiked
    return [
        SpikedCase(model, dimension, 1.0, 1.0, 1, seed)
        for model in MODELS
        for dimension in setup.dimensions
        for seed in range(setup.seeds)
    ]


SPIKED: Experiment[Config] = Experiment("spiked", run_spiked, _cases)
CROSSED: Experiment[Config] = Experiment("spiked-crossed", run_spiked, _crossed_cases)
ONE_STEP: Experiment[Config] = Experiment("spiked-one-step", run_one_step, _one_step_cases)
