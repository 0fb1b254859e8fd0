"""The Tracy-Widom laws: where the largest eigenvalue of a random matrix falls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import airy, expit, logit

from spectrain.core import InputError
from spectrain.rmt.law import (
    Array,
    Numbers,
    Values,
    as_float,
    legendre,
    numpy_generator,
    require_order,
)

LOWEST, HIGHEST = -9.0, 16.0  # F₁(−9) = 3e-15, 1 − F₁(16) = 2e-21
KNOTS, DEGREE = 301, 7  # mean and variance then agree with the published digits, 1e-12
NODES = 44  # of the quadrature behind the determinants
TABLE = "tracy_widom.npy"  # np.save of tabulate(); a test computes it anew


@dataclass(frozen=True, slots=True)
class TracyWidom:
    """Limit law of the largest eigenvalue, centred and scaled, for β = 1 (real) or 2 (complex).

    With the integral operator A_s of kernel Ai(x + y + s) on L²(0, ∞),
    F₁(s) = det(1 − A_s) and F₂(s) = det(1 − A_s²). The determinants were taken by Gauss-Legendre
    quadrature, and log F/(1 − F) is tabulated and read as a spline, so that both tails keep their
    relative accuracy. Outside [−9, 16] the values at the ends are returned.

    Args:
        beta: Dyson index, 1 or 2.

    Raises:
        InputError: another beta.

    Source: Bornemann, On the numerical evaluation of Fredholm determinants (2010), §3;
    Ferrari & Spohn, A determinantal formula for the GOE Tracy-Widom distribution (2005).

    Example:
        >>> law = TracyWidom()
        >>> round(law.moment(1), 10)
        -1.2065335746
        >>> law.quantile([0.95, 0.99]).round(4)
        array([0.9793, 2.0234])
    """

    beta: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.beta not in (1, 2):
            raise InputError(f"beta is {self.beta}", remedy="pass 1 (real) or 2 (complex)")

    @property
    def edges(self) -> tuple[float, float]:
        """The whole line."""
        return -np.inf, np.inf

    def distribution(self, s: Numbers) -> Float[Array, "*shape"]:
        """F(s)."""
        return np.asarray(expit(self._log_odds(s)))

    def survival(self, s: Numbers) -> Float[Array, "*shape"]:
        """1 − F(s): the p-value of a largest eigenvalue."""
        return np.asarray(expit(-self._log_odds(s)))

    def density(self, s: Numbers) -> Float[Array, "*shape"]:
        """F′(s)."""
        return np.asarray(self._spread(s) * self._log_odds(s, derivative=1))

    def quantile(self, probability: Numbers) -> Float[Array, "*shape"]:
        """The s with F(s) equal to the probability.

        Raises:
            InputError: a probability is not strictly between 0 and 1.
        """
        p = as_float(probability)
        if not ((p > 0) & (p < 1)).all():
            raise InputError("a probability is outside (0, 1)", remedy="clip it first")
        spline = _log_odds(self.beta)
        grid = np.linspace(LOWEST, HIGHEST, 20 * KNOTS)
        s = np.interp(logit(p), spline(grid), grid)
        return np.asarray(s - (spline(s) - logit(p)) / spline(s, 1))

    def moment(self, order: int) -> float:
        """E sᵏ by Gauss-Legendre quadrature of the density."""
        require_order(order)
        nodes, weights = legendre(KNOTS)
        s = LOWEST + (HIGHEST - LOWEST) * nodes
        return float((HIGHEST - LOWEST) * weights @ (s**order * self.density(s)))

    def sample(self, count: int, *, generator: torch.Generator) -> Float[Array, " count"]:
        """Independent draws by inversion."""
        return self.quantile(numpy_generator(generator).uniform(size=count))

    def _log_odds(self, s: Numbers, derivative: int = 0) -> Values:
        inside = np.clip(as_float(s), LOWEST, HIGHEST)
        return as_float(_log_odds(self.beta)(inside, derivative))

    def _spread(self, s: Numbers) -> Values:
        """F(1 − F), zero outside the range of the spline."""
        inside = (as_float(s) >= LOWEST) & (as_float(s) <= HIGHEST)
        return np.where(inside, self.distribution(s) * self.survival(s), 0.0)


@lru_cache(maxsize=2)
def _log_odds(beta: Literal[1, 2]) -> BSpline:
    with (files("spectrain.rmt") / TABLE).open("rb") as file:
        table = np.load(file, allow_pickle=False)
    return make_interp_spline(np.linspace(LOWEST, HIGHEST, KNOTS), table[beta - 1], k=DEGREE)


def tabulate() -> Float[Array, "2 points"]:
    """Values of log F/(1 − F) of both laws at the knots, from the determinants."""
    eigenvalues = np.linalg.eigvalsh(airy_operator(np.linspace(LOWEST, HIGHEST, KNOTS)))
    log_distribution = np.stack(
        [np.log1p(-powers).sum(-1) for powers in (eigenvalues, eigenvalues**2)]
    )
    return log_distribution - np.log(-np.expm1(log_distribution))


def airy_operator(s: Float[Array, " points"], nodes: int = NODES) -> Float[Array, "points n n"]:
    """A_s discretised: √wᵢ Ai(xᵢ + xⱼ + s) √wⱼ on n quadrature nodes.

    The half-line is cut at the length where Ai(x + s) has fallen below 1e-18 of its start.
    """
    length = np.maximum(HIGHEST - s, 10.0)[:, None]
    unit, weights = legendre(nodes)
    x, root = length * unit, np.sqrt(length * weights)
    i, j = np.triu_indices(nodes)
    kernel = np.empty((s.size, nodes, nodes))
    kernel[:, i, j] = airy(x[:, i] + x[:, j] + s[:, None])[0] * root[:, i] * root[:, j]
    kernel[:, j, i] = kernel[:, i, j]
    return kernel
