"""The second moment of ReLU features: arc-cosine kernel, its expansion, and Assumptions E and G."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal
from spectrain_studies.frame import Experiment, Outcome


def phi(t: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """φ(t) = √(1 − t²) + (π − arccos t)t − 1 on [−1, 1].

    For g ~ N(0, I): Cov(ReLU⟨v, g⟩, ReLU⟨w, g⟩) = ‖v‖‖w‖φ(ρ)/2π, ρ the cosine of v and w.

    Source:
        Davis & Drusvyatskiy, §3.1.1 and Figure 16; the arc-cosine kernel of degree 1.

    Example:
        >>> [round(x, 6) for x in phi(torch.tensor([-1.0, 0.0, 1.0]).double()).tolist()]
        [-1.0, 0.0, 2.141593]
    """
    return (1 - t.square()).clamp_min(0).sqrt() + (pi - t.clamp(-1, 1).arccos()) * t - 1


def covariance(rows: Float[Tensor, "k d"], others: Float[Tensor, "l d"]) -> Float[Tensor, "k l"]:
    """Covariance of ReLU(Vx) and ReLU(Wx), x ~ N(0, I).

    Example:
        >>> v = torch.ones(1, 1, dtype=torch.float64)  # Var ReLU(g) = 1/2 − 1/2π
        >>> round(covariance(v, v).item() - (0.5 - 1 / (2 * pi)), 12)
        0.0
    """
    norms = rows.norm(dim=1), others.norm(dim=1)
    scale = norms[0].unsqueeze(1) * norms[1]
    return scale * phi((rows @ others.mT / scale).clamp(-1, 1)) / (2 * pi)


def expansion(rows: Float[Tensor, "k d"]) -> Float[Tensor, "k k"]:
    """Σ by (3.6) without its error term: ¼VVᵀ + Λ⁻¹(VVᵀ)∘²Λ⁻¹/4π + ((π − 3)/4π)Λ².

    Example:
        >>> v = torch.eye(2, dtype=torch.float64)  # 1/4 + 1/4π + (π − 3)/4π on the diagonal
        >>> round(expansion(v)[0, 0].item() - (0.5 - 1 / (2 * pi)), 12)
        0.0
    """
    gram, norms = rows @ rows.mT, rows.norm(dim=1)
    square = gram.square() / (norms.unsqueeze(1) * norms)
    return gram / 4 + square / (4 * pi) + (pi - 3) / (4 * pi) * norms.square().diag()


@dataclass(frozen=True)
class KernelCase:
    """Gaussian V and V̄ (2d × d, entries of variance 1/d) and, for moments of samples, 8d inputs."""

    dimension: int
    seed: int


def run_kernel(case: KernelCase) -> Outcome:
    """Incoherence, the bounds of Theorem 3.2, both forms of 3.7, and samples' spike and bulk."""
    d, generator = case.dimension, torch.Generator().manual_seed(case.seed)
    rows, others = gaussian(2 * d, d, generator), gaussian(2 * d, d, generator)
    gram = rows @ rows.mT
    coherence = (gram - torch.eye(2 * d)).abs().max().item()
    sigma = covariance(rows, rows)
    rest = torch.linalg.eigvalsh(sigma - gram / 4)
    error = sigma - expansion(rows)
    cross, product = covariance(others, rows), others @ rows.mT
    flat = torch.ones_like(product) / d
    forms = {
        "printed": product / (2 * pi) + flat,
        "corrected": product / 4 + flat / (4 * pi),
    }
    found = {
        "coherence": coherence / (log(d) / d) ** 0.5,
        "spread": torch.linalg.eigvalsh(gram)[-1].item(),
        "margin": rest[0].item() - (pi - 3) * (1 - coherence) / (4 * pi),
        "upper": torch.linalg.eigvalsh(sigma)[-1].item(),
        "error": _norm(error),
        "cross": _norm(cross),
    }
    found |= {name: _norm(cross - form) for name, form in forms.items()}
    return found | _samples(rows, others, normal(generator, d, 8 * d))


def _samples(rows: Tensor, others: Tensor, inputs: Tensor) -> dict[str, float]:
    """Means, spikes and bulks of B = AAᵀ/n and of B̄ = ĀAᵀ/n."""
    student, teacher = (rows @ inputs).relu(), (others @ inputs).relu()
    mean, other = student.mean(1), teacher.mean(1)
    count = inputs.shape[1]
    bulk = torch.linalg.eigvalsh(student @ student.mT / count - mean.outer(mean))
    values = torch.linalg.svdvals(teacher @ student.mT / count - other.outer(mean))
    norms = rows.norm(dim=1)
    return {
        "spike": mean.square().sum().item(),
        "bulk_low": bulk[0].item(),
        "bulk_high": bulk[-1].item(),
        "cross_low": values[rows.shape[1] - 1].item(),
        "cross_high": values[0].item(),
        "mean_over_norm": (mean.sum() / norms.sum()).item(),
    }


def _norm(matrix: Tensor) -> float:
    return torch.linalg.matrix_norm(matrix, 2).item()


@dataclass(frozen=True)
class PairCase:
    """Monte Carlo of E ReLU(g₁)ReLU(g₂) over a grid of correlations."""

    correlations: tuple[float, ...]
    samples: int
    seed: int


def run_pairs(case: PairCase) -> Outcome:
    """Means of products, their standard errors, and (φ(ρ) + 1)/2π."""
    generator = torch.Generator().manual_seed(case.seed)
    first, second = normal(generator, 2, case.samples)
    rho = torch.tensor(case.correlations, dtype=torch.float64)
    rows = [first.relu() * (r * first + (1 - r * r).sqrt() * second).relu() for r in rho]
    return {
        "means": [row.mean().item() for row in rows],
        "errors": [row.std().item() / case.samples**0.5 for row in rows],
        "expected": ((phi(rho) + 1) / (2 * pi)).numpy(),
    }


@dataclass(frozen=True)
class HadamardCase:
    """Random matrices of several sizes."""

    sizes: tuple[int, ...]
    trials: int
    seed: int


def run_hadamard(case: HadamardCase) -> Outcome:
    """Left over right side of the first two properties of Lemma 3.1; λ_min(A ∘ B)/‖A ∘ B‖."""
    generator = torch.Generator().manual_seed(case.seed)
    found: dict[str, list[float]] = {"first": [], "second": [], "third": []}
    for size in case.sizes:
        for _ in range(case.trials):
            a, b = normal(generator, 2, size, size)
            c, d = normal(generator, 2, size, size // 2 + 1)
            positive, other = c @ c.mT, d @ d.mT
            found["first"].append(_norm(a * b) / (a.abs().max() * b.norm()).item())
            found["second"].append(
                _norm(positive * b) / (positive.diagonal().max() * _norm(b)).item()
            )
            product = positive * other
            found["third"].append(torch.linalg.eigvalsh(product)[0].item() / _norm(product))
    return {name: np.array(values) for name, values in found.items()}


def _kernel_cases(config: Config) -> list[KernelCase]:
    setup = config.dynamics.kernel
    return [KernelCase(d, seed) for d in setup.dimensions for seed in range(setup.seeds)]


def _pair_cases(config: Config) -> list[PairCase]:
    correlations = tuple(float(r) for r in np.linspace(-0.9, 0.9, 7))
    return [PairCase(correlations, config.dynamics.kernel.samples, seed=0)]


def _hadamard_cases(config: Config) -> list[HadamardCase]:
    return [HadamardCase((3, 10, 40), 100, seed=0)]


KERNEL: Experiment[Config] = Experiment("relu-kernel", run_kernel, _kernel_cases)
PAIRS: Experiment[Config] = Experiment("relu-pairs", run_pairs, _pair_cases)
HADAMARD: Experiment[Config] = Experiment("hadamard", run_hadamard, _hadamard_cases)
