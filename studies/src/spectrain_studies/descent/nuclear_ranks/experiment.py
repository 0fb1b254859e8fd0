"""Gradient descent on random features in closed form, and its nuclear ranks (Figures 14, 15)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.descent import LeastSquares
from spectrain.matrix import newton_schulz, polar
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal
from spectrain_studies.frame import Experiment, Outcome

MODELS = ("realizable", "teacher")
"""Labels W♯A, and labels W̄Ā of other features."""


@dataclass(frozen=True)
class Descent:
    """Gradients −W̄B̄(I − ηB)ᵗ of gradient descent from 0, in the eigenbasis of B = AAᵀ/n.

    In the realizable model W̄ = W♯ and B̄ = B, so that they are −W♯(I − ηB)ᵗB.

    Attributes:
        coefficients: W̄B̄Q.
        basis: Q, eigenvectors of B.
        eigenvalues: of B, ascending.
        rate: η.

    Source:
        Davis & Drusvyatskiy, §3.1.4 and Lemma 3.10.

    Example:
        >>> moment = torch.diag(torch.tensor([1.0, 2.0], dtype=torch.float64))
        >>> descent = Descent.of(moment, moment, rate=0.25)
        >>> descent.gradient(1).diagonal().tolist()  # −B(I − B/4)
        [-0.75, -1.0]
    """

    coefficients: Float[Tensor, "m k"]
    basis: Float[Tensor, "k k"]
    eigenvalues: Float[Tensor, " k"]
    rate: float

    @classmethod
    def of(
        cls, first: Float[Tensor, "m k"], moment: Float[Tensor, "k k"], rate: float | None = None
    ) -> Descent:
        """Out of W̄B̄ and B; η is 1/‖B‖_op where none is given."""
        eigenvalues, basis = torch.linalg.eigh(moment)
        chosen = 1 / eigenvalues[-1].item() if rate is None else rate
        return cls(first @ basis, basis, eigenvalues, chosen)

    def _scaled(self, step: float) -> Float[Tensor, "m k"]:
        return self.coefficients * (1 - self.rate * self.eigenvalues).clamp_min(0) ** step

    def gradient(self, step: float) -> Float[Tensor, "m k"]:
        """∇L(W_t)."""
        return -self._scaled(step) @ self.basis.mT

    def norms(self, steps: Iterable[float]) -> Float[Tensor, "two steps"]:
        """‖∇L(W_t)‖_* and ‖∇L(W_t)‖_F."""
        values = [torch.linalg.svdvals(self._scaled(step)) for step in steps]
        return torch.stack([torch.stack([s.sum(), s.norm()]) for s in values], 1)

    def nuclear_ranks(self, steps: Iterable[float]) -> Float[Tensor, " steps"]:
        """nr(∇L(W_t))."""
        nuclear, frobenius = self.norms(steps)
        return (nuclear / frobenius) ** 2


@dataclass(frozen=True)
class RanksCase:
    """ReLU features with d = k/2, n = 2k, m = k.

    Attributes:
        model: ``realizable`` or ``teacher``.
        width: k.
        steps: at which nuclear ranks are taken.
        seed: of the data.
    """

    model: str
    width: int
    steps: tuple[int, ...]
    seed: int

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps at which gains are taken: the first two, d = k/2 and the last."""
        return (0, 1, self.width // 2, self.steps[-1])


def draw_features(
    model: str, width: int, generator: torch.Generator
) -> tuple[Float[Tensor, "k n"], Float[Tensor, "k n"], Float[Tensor, "k k"]]:
    """A, Ā (A itself where realizable) and W̄, drawn in the order X, V, (V̄,) W̄.

    Source:
        Davis & Drusvyatskiy, Figures 14 and 15; entries of V and W̄ have variance 1/columns.
    """
    data = normal(generator, width // 2, 2 * width)
    features = (gaussian(width, width // 2, generator) @ data).relu()
    teacher = features
    if model == "teacher":
        teacher = (gaussian(width, width // 2, generator) @ data).relu()
    return features, teacher, gaussian(width, width, generator)


def run_ranks(case: RanksCase) -> Outcome:
    """Nuclear ranks, stable rank, and one-step gains over that of gradient descent.

    ``gains`` is steps × three: SpecGD and gradient descent at natural lengths; Muon's first
    direction (five quintic Newton-Schulz steps) at its best length against gradient descent at the
    natural length, and against gradient descent at its best length.
    """
    generator = torch.Generator().manual_seed(case.seed)
    features, teacher, truth = draw_features(case.model, case.width, generator)
    count = features.shape[1]
    moment = features @ features.mT / count
    descent = Descent.of(truth @ teacher @ features.mT / count, moment)
    largest = descent.eigenvalues[-1]
    return {
        "nuclear_ranks": descent.nuclear_ranks(case.steps).numpy(),
        "stable_rank": (moment.trace() / largest).item(),
        "gains": [_gains(descent.gradient(step), moment, largest) for step in case.looks],
    }


def best_gain(
    gradient: Float[Tensor, "m k"], direction: Float[Tensor, "m k"], moment: Float[Tensor, "k k"]
) -> Float[Tensor, ""]:
    """Decrease ⟨G, D⟩²/(2⟨D, DB⟩) of least squares along −D at the best length.

    Example:
        >>> best_gain(torch.eye(2), torch.eye(2), 2 * torch.eye(2)).item()  # 2²/(2·4)
        0.5
    """
    return (gradient * direction).sum().square() / (2 * (direction * (direction @ moment)).sum())


def _gains(gradient: Tensor, moment: Tensor, largest: Tensor) -> list[float]:
    factor = polar(gradient).factor

    def gain(direction: Tensor, length: Tensor) -> Tensor:
        quadratic = (direction * (direction @ moment)).sum()
        return length * (gradient * direction).sum() - length.square() * quadratic / 2

    euclidean = gain(gradient, 1 / largest)
    spectral = gain(factor, (gradient * factor).sum() / moment.trace())
    muon = best_gain(gradient, newton_schulz(gradient).factor, moment)
    best = best_gain(gradient, gradient, moment)
    return [
        (above / below).item()
        for above, below in ((spectral, euclidean), (muon, euclidean), (muon, best))
    ]


@dataclass(frozen=True)
class IdentityCase:
    """Gradient descent that is iterated beside its closed form."""

    model: str
    width: int
    steps: int
    seed: int


def run_identity(case: IdentityCase) -> Outcome:
    """‖∇L(W_t) − closed form‖_F/‖closed form‖_F along the run."""
    generator = torch.Generator().manual_seed(case.seed)
    features, teacher, truth = draw_features(case.model, case.width, generator)
    problem = LeastSquares(features, truth @ teacher)
    moment = features @ features.mT / problem.samples
    rate = 1 / problem.euclidean_curvature
    expected = -truth @ teacher @ features.mT / problem.samples
    weights, errors = torch.zeros_like(truth), []
    for _ in range(case.steps):
        gradient = problem.gradient(weights)
        errors.append(((gradient - expected).norm() / expected.norm()).item())
        weights = weights - rate * gradient
        expected = expected - rate * expected @ moment
    return {"errors": np.array(errors)}


def grid(last: int, dense: int, sparse: int) -> tuple[int, ...]:
    """Steps 0 … dense, then about ``sparse`` more up to ``last``, evenly in the logarithm.

    Example:
        >>> grid(100, 3, 3)
        (0, 1, 2, 3, 10, 31, 100)
    """
    later = np.geomspace(max(dense, 1), last, sparse + 1).round().astype(int)
    return tuple(sorted({*range(dense + 1), *(int(step) for step in later)}))


def _rank_cases(config: Config) -> list[RanksCase]:
    setup = config.dynamics.ranks
    steps = grid(setup.steps, setup.dense, setup.sparse)
    return [
        RanksCase(model, width, steps, seed)
        for model in MODELS
        for width in setup.widths
        for seed in range(setup.seeds)
    ]


def _identity_cases(model: str, config: Config) -> Sequence[IdentityCase]:
    setup = config.dynamics.ranks
    return [IdentityCase(model, 100, setup.identity_steps, seed) for seed in range(setup.seeds)]


RANKS: Experiment[Config] = Experiment("nuclear-ranks", run_ranks, _rank_cases)
IDENTITIES: dict[str, Experiment[Config]] = {
    model: Experiment(f"identity-{model}", run_identity, partial(_identity_cases, model))
    for model in MODELS
}
