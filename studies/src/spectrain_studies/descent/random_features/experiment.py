"""Regression on random features: courses of gradient descent and of SpecGD, with restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Muon

from spectrain.core import Step
from spectrain.descent import LeastSquares
from spectrain.matrix import polar, spectrum, stable_rank
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_dynamics import Features
from spectrain_studies.descent.draws import gaussian, normal
from spectrain_studies.frame import Experiment, Outcome

FACTORS = (1.0, 0.2, 0.04)
"""Learning rates tried for Muon, over the natural spectral length at its start."""


@dataclass(frozen=True)
class FeaturesCase:
    """One problem.

    Attributes:
        activation: ``relu`` or ``swiglu``.
        setup: sizes and lengths.
        seed: of the data.
    """

    activation: str
    setup: Features
    seed: int

    @property
    def steps(self) -> int:
        """Of each course."""
        return self.setup.steps if self.activation == "relu" else self.setup.gated_steps


def draw_problem(
    activation: str, width: int, inputs: int, samples: int, generator: torch.Generator
) -> LeastSquares:
    """A realizable problem with A = ReLU(VX), or SiLU(V₁X) ∘ V₂X, in the document's draw order.

    X (inputs × samples) has standard normal entries, V and W♯ (width × width) those of variance
    1/columns. The document's caption says unit variance; its code scales.

    Source:
        Davis & Drusvyatskiy, Figures 3 and 11.

    Example:
        >>> problem = draw_problem("relu", 100, 50, 400, torch.Generator().manual_seed(0))
        >>> round(stable_rank(spectrum(problem.features)).item(), 4)
        3.0043
    """
    data = normal(generator, inputs, samples)
    hidden = gaussian(width, inputs, generator) @ data
    if activation == "swiglu":
        features = F.silu(hidden) * (gaussian(width, inputs, generator) @ data)
    else:
        features = hidden.relu()
    return LeastSquares(features, gaussian(width, width, generator) @ features)


@dataclass(frozen=True)
class Course:
    """A run of one method, entry t before its step t.

    Attributes:
        losses: L(W_t).
        nuclear_ranks: of ∇L(W_t).
        euclidean_gains: L(W) − L(W⁺) of the natural Euclidean step from W_t.
        spectral_gains: the same of the natural spectral step.
        kept: iterates that were asked for.
    """

    losses: Float[Tensor, " steps"]
    nuclear_ranks: Float[Tensor, " steps"]
    euclidean_gains: Float[Tensor, " steps"]
    spectral_gains: Float[Tensor, " steps"]
    kept: dict[int, Float[Tensor, "m k"]]


def descend(
    problem: LeastSquares,
    start: Float[Tensor, "m k"],
    steps: int,
    method: Step,
    keep: Sequence[int] = (),
) -> Course:
    """Take natural steps of one method, and measure both from every iterate.

    Example:
        >>> targets = torch.diag(torch.tensor([2.0, 1.0])).double()
        >>> problem = LeastSquares(torch.eye(2).double(), targets)
        >>> course = descend(problem, torch.zeros(2, 2).double(), 2, Step.SPECTRAL)
        >>> course.losses.tolist(), [round(x, 6) for x in course.nuclear_ranks.tolist()]
        ([1.25, 0.125], [1.8, 2.0])
    """
    euclidean, spectral = problem.euclidean_curvature, problem.spectral_curvature
    weights, rows, kept = start, [], {}
    for step in range(steps):
        if step in keep:
            kept[step] = weights
        gradient = problem.gradient(weights)
        factor = polar(gradient).factor
        nuclear = (gradient * factor).sum()
        loss = problem.loss(weights)
        after = {
            Step.EUCLIDEAN: weights - gradient / euclidean,
            Step.SPECTRAL: weights - nuclear / spectral * factor,
        }
        gains = [loss - problem.loss(after[each]) for each in (Step.EUCLIDEAN, Step.SPECTRAL)]
        rows.append(torch.stack([loss, nuclear.square() / gradient.square().sum(), *gains]))
        weights = after[method]
    losses, ranks, euclidean_gains, spectral_gains = torch.stack(rows, 1)
    return Course(losses, ranks, euclidean_gains, spectral_gains, kept)


def muon_losses(
    problem: LeastSquares, start: Float[Tensor, "m k"], steps: int, rate: float
) -> Float[Tensor, " records"]:
    """Losses before each of so many steps of ``torch.optim.Muon`` and after the last.

    Example:
        >>> problem = LeastSquares(torch.eye(2), 2 * torch.eye(2))
        >>> bool(muon_losses(problem, torch.zeros(2, 2), 3, 0.5).diff().max() < 0)
        True
    """
    weights = nn.Parameter(start.clone())
    optimizer = Muon([weights], lr=rate, weight_decay=0.0)
    losses = [problem.loss(start)]
    for _ in range(steps):
        weights.grad = problem.gradient(weights.detach())
        optimizer.step()
        losses.append(problem.loss(weights.detach()))
    return torch.stack(losses)


def _muon_restart(
    problem: LeastSquares, start: Float[Tensor, "m k"], steps: int
) -> Float[Tensor, " records"]:
    """The run whose last loss is least among rates tied to the natural length at the start."""
    gradient = problem.gradient(start)
    natural = torch.linalg.matrix_norm(gradient, "nuc") / problem.spectral_curvature
    runs = [muon_losses(problem, start, steps, natural.item() * factor) for factor in FACTORS]
    return min(runs, key=lambda losses: losses[-1].item())


def run_features(case: FeaturesCase) -> Outcome:
    """Courses of both methods from 0, and of SpecGD and Muon from iterates of gradient descent.

    Muon starts from 0, from the iterate of largest nuclear rank and from the last that leaves room.
    """
    setup, steps = case.setup, case.steps
    generator = torch.Generator().manual_seed(case.seed)
    problem = draw_problem(case.activation, setup.width, setup.inputs, setup.samples, generator)
    zero = torch.zeros(len(problem.targets), setup.width, dtype=torch.float64)
    euclidean = descend(problem, zero, steps, Step.EUCLIDEAN, range(steps))
    spectral = descend(problem, zero, steps, Step.SPECTRAL)
    peak = int(euclidean.nuclear_ranks.argmax())
    starts = [peak, *range(setup.restart_every, steps, setup.restart_every)]
    restarts = np.full((len(starts), steps), np.nan)
    for row, start in zip(restarts, starts, strict=True):
        course = descend(problem, euclidean.kept[start], steps - start, Step.SPECTRAL)
        row[start:] = course.losses.numpy()
    room = steps - 1 - setup.muon_steps
    places = [0, min(peak, room), room]
    return {
        "stable_rank": stable_rank(spectrum(problem.features, method="exact")).item(),
        "euclidean_rate": 1 / problem.euclidean_curvature.item(),
        "spectral_rate": 1 / problem.spectral_curvature.item(),
        "gd_loss": euclidean.losses.numpy(),
        "gd_nuclear_rank": euclidean.nuclear_ranks.numpy(),
        "gd_gains": torch.stack([euclidean.euclidean_gains, euclidean.spectral_gains]).numpy(),
        "specgd_loss": spectral.losses.numpy(),
        "specgd_nuclear_rank": spectral.nuclear_ranks.numpy(),
        "specgd_gains": torch.stack([spectral.euclidean_gains, spectral.spectral_gains]).numpy(),
        "restart_steps": np.array(starts),
        "restart_loss": restarts,
        "muon_steps": np.array(places),
        "muon_loss": np.stack(
            [_muon_restart(problem, euclidean.kept[place], setup.muon_steps) for place in places]
        ),
    }


def _cases(activation: str, config: Config) -> list[FeaturesCase]:
    setup = config.dynamics.features
    return [FeaturesCase(activation, setup, seed) for seed in range(setup.seeds)]


RELU: Experiment[Config] = Experiment("features-relu", run_features, partial(_cases, "relu"))
GATED: Experiment[Config] = Experiment("features-swiglu", run_features, partial(_cases, "swiglu"))
