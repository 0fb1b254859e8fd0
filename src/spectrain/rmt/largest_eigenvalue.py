"""Is the largest eigenvalue of WᵀW that of a random matrix? Tracy-Widom tests of the edge."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from spectrain.rmt.ensembles import tall
from spectrain.rmt.law import Array, Numbers, as_float, finite_sample, require_positive
from spectrain.rmt.tracy_widom import TracyWidom


def edge_scaling(shape: tuple[int, int], variance: float = 1.0) -> tuple[float, float]:
    """Centre μ and scale τ such that (λ₁ − μ)/τ follows the Tracy-Widom law, β = 1.

    For real Gaussian W (M × N, entries of variance σ²/M), with a = √(M − ½) and b = √(N − ½):
    μ = σ²(a + b)²/M and τ = σ²(a + b)(1/a + 1/b)^⅓/M. The halves lower the error of the law from
    O(N^−⅓) to O(N^−⅔), so it serves already at N = 4.

    Args:
        shape: (M, N), M ≥ N.
        variance: σ², the variance of the entries times M.

    Raises:
        InputError: M < N, or the variance is not positive.

    Source: Johnstone (2001); the halves: Ma, Accuracy of the Tracy-Widom limits for the extreme
    eigenvalues in white Wishart matrices (2012), Theorem 1.

    Example:
        >>> centre, scale = edge_scaling((64, 16))
        >>> round(centre, 3), round(scale, 3)  # the bulk ends at 2.25
        (2.215, 0.135)
    """
    rows, columns = tall(shape)
    require_positive(variance=variance)
    a, b = np.sqrt(rows - 0.5), np.sqrt(columns - 0.5)
    unit = variance / rows
    return float(unit * (a + b) ** 2), float(unit * (a + b) * (1 / a + 1 / b) ** (1 / 3))


def edge_p_value(
    largest: Numbers, shape: tuple[int, int], variance: float
) -> Float[Array, "*batch"]:
    """Probability that a random matrix of known variance has a largest eigenvalue this large.

    Args:
        largest: λ₁ of WᵀW, of any number of matrices.
        shape: (M, N), M ≥ N.
        variance: σ², known beforehand (from the initialisation, say).

    Raises:
        InputError: M < N, or the variance is not positive.

    Source: :func:`edge_scaling`.

    Example:
        >>> edge_p_value([2.2, 2.6], (64, 16), 1.0).round(4)
        array([0.1888, 0.0022])
    """
    centre, scale = edge_scaling(shape, variance)
    return TracyWidom().survival((as_float(largest) - centre) / scale)


def edge_ratio_p_value(
    eigenvalues: Float[Array, "*batch n"], shape: tuple[int, int]
) -> Float[Array, "*batch"]:
    """The same probability where the variance has to come from the spectrum itself.

    The statistic is U = λ₁/σ̂² with σ̂² = Σλ/N, the best estimate. For a Gaussian matrix U and σ̂²
    are independent and σ̂²/σ² is χ²_{MN}/MN, so E λ₁ᵏ = E Uᵏ E(σ̂²)ᵏ gives the mean and variance of
    U exactly from those of λ₁. U is then referred to a Tracy-Widom law of that mean and variance:
    narrower than that of λ₁, whose own large values raise σ̂² (at 64 × 16 by 28 % in variance).

    Args:
        eigenvalues: all N eigenvalues of WᵀW, in any order.
        shape: (M, N), M ≥ N.

    Returns:
        One p-value a matrix; 1 where N = 1, since one eigenvalue says nothing. On Gaussian
        matrices P(p ≤ 1 %) is 0.9–1.2 % from 16 × 16 on, and less below (8 × 8: 0.4 %).

    Raises:
        InputError: M < N, or the spectrum holds NaN or Inf.

    Source: Nadler, On the distribution of the ratio of the largest eigenvalue to the trace of a
    Wishart matrix (2011), whose expansion this replaces by matched moments, which stay valid far
    out in the tail.

    Example:
        >>> edge_ratio_p_value(np.array([0.3, 0.6, 0.9, 2.6]), (16, 4)).round(3)
        np.float64(0.019)
    """
    rows, columns = tall(shape)
    values = finite_sample("eigenvalues", eigenvalues)
    ratio = values.max(-1) / values.mean(-1)
    if columns == 1:
        return np.ones(ratio.shape)
    centre, scale = edge_scaling(shape)
    law_mean, law_variance = _tracy_widom_mean_and_variance()
    mean = centre + scale * law_mean
    shrink = 1 + 2 / (rows * columns)
    variance = (mean**2 + scale**2 * law_variance) / shrink - mean**2
    standard = (ratio - mean) / np.sqrt(variance)
    return TracyWidom().survival(law_mean + np.sqrt(law_variance) * standard)


@lru_cache(maxsize=1)
def _tracy_widom_mean_and_variance() -> tuple[float, float]:
    law = TracyWidom()
    mean = law.moment(1)
    return mean, law.moment(2) - mean**2
