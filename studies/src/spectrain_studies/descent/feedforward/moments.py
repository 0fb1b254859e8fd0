"""Figure 12 by quadrature and by drawing; Lemmas 2.4 and 2.5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from spectrain_studies.descent.activations import ACTIVATIONS, printed_gelu_alpha
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import normal
from spectrain_studies.descent.sampling.experiment import QUANTILE
from spectrain_studies.frame import Experiment, Outcome

VARIANCES = (0.05, 0.25, 1.0, 4.0, 25.0)
"""Variances v = wᵀΣw at which the table is tried, below and above 1."""

PARTS = ("excess", "mean_deficit", "square_excess")

REACH = 12.0
"""Standard deviations that the quadrature goes to."""


@dataclass(frozen=True)
class Moments:
    """Moments of an activation of N(0, v)."""

    activation: str
    variance: float
    draws: int
    seed: int = 0


def run_moments(case: Moments) -> Outcome:
    """E σ(g) and E σ(g)² in closed form, by quadrature and by drawing; condition (2.9).

    ``mean_share`` is α f/(E σ)² and ``square_share`` E σ²/(β f), both at most 1 where (2.9) holds
    with s_* = v; ``printed_share`` is the first with the α of GELU as printed. ``deviation`` is the
    largest relative one of the closed forms from quadrature.
    """
    activation, v = ACTIVATIONS[case.activation], case.variance
    closed = [f(np.array([v])).item() for f in (activation.mean, activation.second_moment)]
    generator = torch.Generator().manual_seed(case.seed)
    drawn = activation.apply(sqrt(v) * normal(generator, case.draws))
    first, second = drawn.mean().item(), drawn.square().mean().item()
    covariance = torch.stack([drawn, drawn.square()]).cov() / case.draws
    gradient = torch.tensor([-2 * second / first**3, 1 / first**2], dtype=torch.float64)
    f = v**activation.power
    quadrature = [_expected(activation.apply, v, power) for power in (1, 2)]
    return {
        "deviation": float(np.abs(np.divide(closed, quadrature) - 1).max()),
        "noise_to_signal": closed[1] / closed[0] ** 2,
        "drawn": second / first**2,
        "drawn_error": (gradient @ covariance @ gradient).sqrt().item(),
        "mean_share": activation.alpha(v) * f / closed[0] ** 2,
        "square_share": closed[1] / (activation.beta * f),
        "printed_share": printed_gelu_alpha(v) * f / closed[0] ** 2,
    }


def _expected(apply: Callable[[Tensor], Tensor], variance: float, power: int) -> float:
    """E σ(g)^power by adaptive quadrature, split at the kink."""

    def integrand(t: float) -> float:
        value = apply(torch.tensor(sqrt(variance) * t, dtype=torch.float64)).item()
        return float(value**power * norm.pdf(t))

    halves = [
        quad(integrand, low, high, epsabs=1e-13)[0] for low, high in ((-REACH, 0.0), (0.0, REACH))
    ]
    return float(sum(halves))


def _moments(config: Config) -> Sequence[Moments]:
    draws = config.theory.sampling.draws
    return [Moments(name, v, draws) for name in ACTIVATIONS for v in VARIANCES]


@dataclass(frozen=True)
class NoiseToSignal:
    """Empirical noise-to-signal ratios of few ReLU features, at every sample size."""

    rows: int
    samples: tuple[int, ...]
    repeats: int
    seed: int


def run_noise_to_signal(case: NoiseToSignal) -> Outcome:
    """0.9-quantiles over samples of the excess (m̂_2/‖μ̂‖²)/(m_2/‖μ‖²) − 1 and of its two parts.

    The parts are the deficit of ⟨μ̂, μ⟩/‖μ‖² and the excess of m̂_2/m_2.

    Also, for random covariances and weights of many scales, the NSR of every activation over its
    bound β/α.
    """
    generator = torch.Generator().manual_seed(case.seed)
    found: dict[str, list[float]] = {name: [] for name in PARTS}
    for count in case.samples:
        shape = (case.repeats, count, case.rows)
        z = normal(generator, *shape).relu()
        means = z.mean(1) * sqrt(2 * pi)
        squares = z.square().sum(2).mean(1) * 2 / case.rows
        norms = means.square().mean(1)
        for name, values in zip(PARTS, (squares / norms, 2 - means.mean(1), squares), strict=True):
            found[name].append((values - 1).quantile(QUANTILE).item())
    scales = normal(generator, 200).mul(2).exp().numpy()
    return {
        **{name: np.array(values) for name, values in found.items()},
        **{
            f"share_{name}": each.noise_to_signal(scales) / each.bound(float(scales.min()))
            for name, each in ACTIVATIONS.items()
        },
    }


def _noise_to_signal(config: Config) -> Sequence[NoiseToSignal]:
    sampling = config.theory.sampling
    return [
        NoiseToSignal(4, sampling.samples, 8 * sampling.repeats, seed)
        for seed in range(sampling.seeds)
    ]


MOMENTS: Experiment[Config] = Experiment("gaussian-moments", run_moments, _moments)
NOISE_TO_SIGNAL: Experiment[Config] = Experiment(
    "noise-to-signal", run_noise_to_signal, _noise_to_signal
)
