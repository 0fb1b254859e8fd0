"""Gaussian perturbations, normalisation and residual sums: Lemmas 2.10 to 2.13."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.torch_private import standard_gamma
from spectrain_studies.descent.activations import ACTIVATIONS
from spectrain_studies.descent.blocks.experiment import TAIL
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import (
    KINDS,
    fixed_weights,
    gaussian,
    normal,
    rms_norm,
    stable_ranks,
)
from spectrain_studies.descent.sampling.experiment import QUANTILE
from spectrain_studies.frame import Experiment, Outcome

RATIOS = (0.1, 1.0, 10.0)
"""‖x‖²/(σ²d) of the vectors that are perturbed."""

DIRECTIONS = "two directions"
EPSILONS = (0.1, 0.2, 0.3, 0.4, 0.49)


@dataclass(frozen=True)
class PerturbedNorm:
    """Many draws of ‖x + g‖², g ~ N(0, I_d)."""

    width: int
    ratio: float
    draws: int
    seed: int = 0


def run_perturbed_norm(case: PerturbedNorm) -> Outcome:
    """Share of |‖x + g‖² − ‖x‖² − ‖g‖²| > ε(‖x‖² + ‖g‖²) over 4·exp(−ε²d/64), and its quantile.

    Only the component of g along x and the norm of the rest enter, and they are drawn alone.
    """
    generator = torch.Generator().manual_seed(case.seed)
    along = normal(generator, case.draws)
    shape = torch.full((case.draws,), (case.width - 1) / 2, dtype=torch.float64)
    rest = 2 * standard_gamma(shape, generator)
    x = sqrt(case.ratio * case.width)
    relative = 2 * x * along.abs() / (x**2 + along.square() + rest)
    epsilons = torch.tensor(EPSILONS, dtype=torch.float64)
    share = (relative > epsilons[:, None]).double().mean(1)
    return {
        "excess": (share / (4 * torch.exp(-epsilons.square() * case.width / 64))).numpy(),
        "quantile": relative.quantile(QUANTILE).item(),
    }


def _perturbed_norms(config: Config) -> Sequence[PerturbedNorm]:
    block = config.theory.block
    widths = (4, 16, *block.widths)
    return [PerturbedNorm(width, ratio, 100_000) for width in widths for ratio in RATIOS]


@dataclass(frozen=True)
class Residual:
    """Draws of the Gaussian matrices of Lemmas 2.12 and 2.13 on fixed X and H.

    Attributes:
        kind: of the fixed matrices.
        width: d.
        expansion: k/d.
        tokens: n.
        repeats: draws.
        seed: of all draws.
    """

    kind: str
    width: int
    expansion: int
    tokens: int
    repeats: int
    seed: int


def run_residual(case: Residual) -> Outcome:
    """What the lemmas bound, draw by draw.

    ``normed`` st(RMSNorm X)/((U/L)·st X), deterministic; ``needed`` the smallest δ at which st(X +
    WH) is at most (1 + δ)/(1 − δ) times (‖X‖_F² + d/k·‖H‖_F²)/max(‖X‖², d/k·‖H‖²), and whether it
    is ``beyond`` d^(−½); ``contracted`` c_σ(k/d)‖A‖_F²/‖σ(WA)‖_F² by activation, with A = RMSNorm X
    and c_σ = ½τ²P(|σ(g)| ≥ τ) at τ = 1.
    """
    generator = torch.Generator().manual_seed(case.seed)
    d, k = case.width, case.expansion * case.width
    x, h = fixed_pair(case.kind, d, k, case.tokens, generator)
    norms, normed = x.square().sum(0), rms_norm(x)
    top = [torch.linalg.matrix_norm(m, 2).square() for m in (x, h)]
    total = x.square().sum() + h.square().sum() * d / k
    limit = total / max(top[0], top[1] * d / k)
    drawn = [x + gaussian(d, k, generator) @ h for _ in range(case.repeats)]
    ratio = np.array([(stable_ranks(each) / limit).item() for each in drawn])
    needed = np.maximum(0, (ratio - 1) / (ratio + 1))

    def contracted(activation: str) -> list[float]:
        least = small_ball(activation) / 2 * k / d * normed.square().sum()
        apply = ACTIVATIONS[activation].apply
        hidden = (apply(gaussian(k, d, generator) @ normed) for _ in range(case.repeats))
        return [(least / each.square().sum()).item() for each in hidden]

    return {
        "normed": (stable_ranks(normed) / stable_ranks(x) * norms.min() / norms.max()).item(),
        "needed": needed,
        "beyond": needed > d**-0.5,
        **{f"contracted_{name}": np.array(contracted(name)) for name in ("relu", "abs")},
    }


def fixed_pair(
    kind: str, d: int, k: int, n: int, generator: torch.Generator
) -> tuple[Float[Tensor, "d n"], Float[Tensor, "k n"]]:
    """X and H with d/k·‖H‖_F² = ‖X‖_F².

    The ``two directions`` are of rank 1 and orthogonal, H of half that energy: st(X + WH) is 3/2
    but for what W adds.
    """
    if kind == DIRECTIONS:
        ones, signs = torch.ones(n, dtype=torch.float64), (-1.0) ** torch.arange(n).double()
        x, h = torch.zeros(d, n, dtype=torch.float64), torch.zeros(k, n, dtype=torch.float64)
        x[0], h[0] = ones, signs * sqrt(k / (2 * d))
        return x, h
    x, h = (fixed_weights(kind, rows, n, generator) for rows in (d, k))
    return x, h * (x.norm() / h.norm() * sqrt(k / d))


def small_ball(activation: str) -> float:
    """p_σ = P(|σ(g)| ≥ 1), g ~ N(0, 1): Assumption B with τ_σ = 1.

    Example:
        >>> round(small_ball("relu"), 4), round(small_ball("abs"), 4)
        (0.1587, 0.3173)
    """
    return TAIL if activation == "relu" else 2 * TAIL


def _residuals(config: Config) -> Sequence[Residual]:
    block = config.theory.block
    return [
        Residual(kind, width, expansion, block.tokens, times * block.repeats, seed)
        for kind, times in [*((kind, 1) for kind in KINDS), (DIRECTIONS, 5)]
        for width, expansion in [(w, 1) for w in block.widths] + [(block.widths[0], 4)]
        for seed in range(block.seeds)
    ]


PERTURBED_NORMS: Experiment[Config] = Experiment(
    "perturbed-norms", run_perturbed_norm, _perturbed_norms
)
RESIDUALS: Experiment[Config] = Experiment("residuals", run_residual, _residuals)
