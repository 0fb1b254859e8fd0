"""Tails of Lipschitz features of Gaussian inputs: Example 2.1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import KINDS, fixed_weights, normal
from spectrain_studies.frame import Experiment, Outcome

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "abs": torch.abs,
    "leaky relu": F.leaky_relu,
}
"""All 1-Lipschitz."""

ROWS, INPUTS, DIRECTIONS = 32, 16, 8
DRAWS = 20_000
AWAY = (1.0, 2.0, 3.0)
"""Deviations at which tails are looked at, in units of ‖W‖."""


@dataclass(frozen=True)
class Lipschitz:
    """Features σ(Wg) of one matrix of weights.

    Attributes:
        activation: σ.
        kind: of the weights.
        seed: of all draws.
    """

    activation: str
    kind: str
    seed: int


def run_lipschitz(case: Lipschitz) -> Outcome:
    """Variance over ‖W‖², and P(|z| ≥ t‖W‖) over 2exp(−t²/2), the largest over directions.

    z = uᵀ(σ(Wg) − E σ(Wg)), u the leading direction of the covariance and random ones.
    """
    generator = torch.Generator().manual_seed(case.seed)
    weights = fixed_weights(case.kind, ROWS, INPUTS, generator)
    lipschitz = torch.linalg.matrix_norm(weights, 2)
    features = ACTIVATIONS[case.activation](normal(generator, DRAWS, INPUTS) @ weights.mT)
    centred = features - features.mean(0)
    leading = torch.linalg.eigh(centred.mT @ centred).eigenvectors[:, -1:]
    directions = torch.cat([leading, normal(generator, ROWS, DIRECTIONS)], 1)
    z = centred @ (directions / directions.norm(dim=0)) / lipschitz
    away = torch.tensor(AWAY, dtype=torch.float64)
    tails = (z.abs()[..., None] >= away).double().mean(0) / (2 * (-away.square() / 2).exp())
    return {"variance": z.var(0).max().item(), "tail": tails.max().item()}


def _cases(config: Config) -> Sequence[Lipschitz]:
    return [
        Lipschitz(activation, kind, seed)
        for activation in ACTIVATIONS
        for kind in KINDS
        for seed in range(config.theory.sampling.seeds)
    ]


LIPSCHITZ: Experiment[Config] = Experiment("lipschitz", run_lipschitz, _cases)
