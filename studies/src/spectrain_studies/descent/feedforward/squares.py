"""Networks of squares: Theorem 2.8, its doubly exponential bound, and growth with depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log

import numpy as np
import torch
from scipy.special import logsumexp

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import normal, stable_ranks
from spectrain_studies.frame import Experiment, Outcome

FAILURE = 0.1
"""c of Theorem 2.8, which may fail with probability 2c."""

WEIGHTS = ("gaussian", "identity")


def log_bound(depth: int, failure: float = FAILURE) -> float:
    """Logarithm of 27·3^(2^(ℓ+2))/(2c), eq. (2.12).

    Example:
        >>> import math
        >>> round(math.exp(log_bound(1, 0.5)))  # 27·3⁸
        177147
    """
    return log(27 / (2 * failure)) + 2 ** (depth + 2) * log(3)


def printed_samples(depth: int, failure: float = FAILURE) -> float:
    """Number of columns that Theorem 2.8 asks for as printed: 9·3^(2^(ℓ+1))·log(1/2c)/32.

    Example:
        >>> round(printed_samples(1, 0.1), 1)
        36.7
    """
    return 9 / 32 * 3.0 ** (2 ** (depth + 1)) * log(1 / (2 * failure))


def proven_samples(depth: int, failure: float = FAILURE) -> float:
    """The number that Chernoff's inequality needs: 8·log(1/c)/p0 with p0 = (4/9)·3^(−2^(ℓ+1)).

    Example:
        >>> round(proven_samples(1, 0.1))
        3357
    """
    return 18 * 3.0 ** (2 ** (depth + 1)) * log(1 / failure)


def identity_rank(depth: int, width: float) -> float:
    """The logarithm of er(M) for z_i = x_i^(2^ℓ), x ~ N(0, I): all weights are identities.

    With a = E z² = (2^(ℓ+1) − 1)!! and b = (E z)² = ((2^ℓ − 1)!!)²,
    er = d·a/(a − b + d·b), which tends to the NSR a/b as d grows.

    Args:
        depth: ℓ ≥ 1.
        width: d, infinite for the limit.

    Example:
        >>> import math
        >>> round(math.exp(identity_rank(1, float("inf"))), 6)  # E x⁴/(E x²)²
        3.0
    """
    degree = 2**depth
    ratio = _log_double_factorial(2 * degree - 1) - 2 * _log_double_factorial(degree - 1)
    if width == float("inf"):
        return ratio
    terms = [ratio, log(width - 1)] if width > 1 else [ratio]
    return log(width) + ratio - float(logsumexp(terms))


def _log_double_factorial(odd: int) -> float:
    """The logarithm of 1·3·…·odd."""
    half = (odd + 1) // 2
    return lgamma(2 * half + 1) - half * log(2) - lgamma(half + 1)


@dataclass(frozen=True)
class Squares:
    """Squares of random or identical layers on Gaussian inputs with a mean.

    Attributes:
        weights: ``gaussian``, N(0, 1/width), or ``identity``.
        shift: mean of every input.
        width: of all layers.
        depth: deepest layer.
        samples: n.
        seed: of the draws.
    """

    weights: str
    shift: float
    width: int
    depth: int
    samples: int
    seed: int


def run_squares(case: Squares) -> Outcome:
    """st(A_ℓ) for ℓ = 1 … depth; weights are scaled so that E‖a‖² stays finite in float64."""
    generator = torch.Generator().manual_seed(case.seed)
    features = case.shift + normal(generator, case.width, case.samples)
    ranks = []
    for _ in range(case.depth):
        if case.weights == "gaussian":
            features = normal(generator, case.width, case.width) @ features
        features = features.square()
        features = features / features.square().mean().sqrt()
        ranks.append(stable_ranks(features).item())
    return {"ranks": np.array(ranks)}


def _squares(config: Config) -> Sequence[Squares]:
    layers = config.theory.layers
    return [
        Squares(weights, shift, layers.width, layers.depth, layers.samples[-1], seed)
        for weights in WEIGHTS
        for shift in (0.0, 1.0)
        for seed in range(layers.seeds)
    ]


SQUARES: Experiment[Config] = Experiment("squares", run_squares, _squares)
