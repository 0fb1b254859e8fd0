"""Power laws with an exponential cut-off: the law, its fit, and the scan for where it starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import Array, Numbers, Values, as_float, bisect, finite_sample, legendre

UNITS = 45.0
"""e^−45 = 3e-20: where integrals over a tail are cut."""

ROWS = 64
"""Starts that are scanned at once."""

_NODES = 200
_BETWEEN = 16
_STEPS = 40
_HALVINGS = 10
_CONVERGED = 1e-10

LEAST_RATE = 1e-12
"""Λ·x_min where the tail is no lighter than a power law."""


@dataclass(frozen=True, slots=True)
class TruncatedPowerLaw:
    """p(x) ∝ x^(−α) e^(−Λx) for x ≥ x_min, α ≥ 1, Λ > 0.

    Attributes:
        exponent: α.
        rate: Λ, in units of 1/x.
        start: x_min.

    Source:
        Clauset, Shalizi & Newman, Power-law distributions in empirical data (2009), Table 2.1.

    Example:
        >>> law = TruncatedPowerLaw(exponent=1.0, rate=1.0, start=1.0)
        >>> float(law.distribution(1.0)), round(float(law.distribution(3.0)), 4)
        (0.0, 0.9405)
    """

    exponent: float
    rate: float
    start: float

    def log_density(self, x: Numbers) -> Float[Array, "*shape"]:
        """Logarithm of p(x)."""
        ratio = as_float(x) / self.start
        z = self.rate * self.start
        mass = _moments(np.array([self.exponent]), np.array([z]))[0][0]
        logs = -self.exponent * np.log(ratio) - z * ratio - mass - np.log(self.start)
        return np.asarray(np.where(ratio >= 1, logs, -np.inf))

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """1 − E_α(Λx) (x/x_min)^(1 − α)/E_α(Λx_min), by quadrature in ln x."""
        logs = np.maximum(np.log(as_float(x) / self.start), 0.0)
        z = self.rate * self.start
        mass = _moments(np.array([self.exponent]), np.array([z]))[0][0]
        nodes, weights = legendre(_NODES)
        u = logs[..., None] * nodes
        inside = np.exp((1 - self.exponent) * u - z * np.exp(u) - mass)
        return np.asarray(np.minimum(logs * (inside @ weights), 1.0))


@dataclass(frozen=True, slots=True)
class TruncatedFit:
    """A tail with a cut-off.

    Attributes:
        law: exponent, rate and start.
        count: number of values in the tail.
        distance: Kolmogorov-Smirnov distance between tail and law.
    """

    law: TruncatedPowerLaw
    count: int
    distance: float


def fit_truncated_power_law(
    values: Float[Array, " n"], *, within: tuple[float, float] | None = None
) -> TruncatedFit:
    """Find the tail that looks most like a power law with an exponential cut-off.

    Every value but the largest is tried as x_min. From each on, α and Λ maximise the likelihood
    with α ≥ 1: it is concave, since the law is an exponential family in ln x and x, and Newton's
    method solves ⟨ln x⟩ and ⟨x⟩ equal to their means over the tail. The start with the least
    max |F(x_i) − i/n| wins.

    Args:
        values: positive values, in any order.
        within: starts are tried from the first to the second of these alone, and not the last that
            lies there.

    Raises:
        InputError: fewer than three different values, or one that is not positive and finite.

    Source: Clauset, Shalizi & Newman (2009), §§3 and 5.

    Example:
        >>> import torch
        >>> from spectrain.rmt.law import numpy_generator
        >>> rng = numpy_generator(torch.Generator().manual_seed(0))
        >>> values = 1 + rng.exponential(size=2000)  # α = 0 below a cut-off: α is held at 1
        >>> fit_truncated_power_law(values).law.exponent
        1.0
    """
    x = np.sort(finite_sample("values", values, least=3))
    if x[0] <= 0 or len(np.unique(x)) < 3:
        raise InputError(
            "a tail with a cut-off needs three different positive values",
            remedy="drop the zeros of a rank-deficient matrix first",
        )
    starts = np.unique(x, return_index=True)[1]
    if within is not None:
        starts = starts[(x[starts] >= within[0]) & (x[starts] <= within[1])]
    starts = starts[:-1]
    starts = starts[starts < len(x) - 2]  # two values leave no law of two parameters
    if not len(starts):
        raise InputError("no value can be the start of a tail", remedy="allow more starts")
    exponents, rates = _best(x, starts)
    distances = np.concatenate(
        [
            _distances(x, starts[rows], exponents[rows], rates[rows])
            for rows in (slice(at, at + ROWS) for at in range(0, len(starts), ROWS))
        ]
    )
    best = int(distances.argmin())
    start = float(x[starts[best]])
    law = TruncatedPowerLaw(float(exponents[best]), float(rates[best]) / start, start)
    return TruncatedFit(law, len(x) - int(starts[best]), float(distances[best]))


def _best(
    x: Float[Array, " n"], starts: Array
) -> tuple[Float[Array, " starts"], Float[Array, " starts"]]:
    """α and z = Λ·x_min of largest likelihood, for all starts at once."""
    sizes = len(x) - starts
    logs = np.log(x)
    wanted_log = np.cumsum(logs[::-1])[::-1][starts] / sizes - logs[starts]
    wanted = np.cumsum(x[::-1])[::-1][starts] / sizes / x[starts]
    alpha, z = np.ones_like(wanted), _rate(wanted)
    # Of a concave likelihood the slope at the bound shows on which side of it the maximum lies.
    rows = np.flatnonzero(_moments(alpha, z)[1] > wanted_log)
    power = 1 + 1 / wanted_log[rows]
    with np.errstate(divide="ignore"):
        mean = np.where(power > 2, (power - 1) / np.maximum(power - 2, 0), np.inf)
    heavy = wanted[rows] >= mean  # no cut-off makes the tail as heavy as it is
    alpha[rows[heavy]], z[rows[heavy]] = power[heavy], LEAST_RATE
    rows = rows[~heavy]
    alpha[rows], z[rows] = _newton(wanted_log[rows], wanted[rows], alpha[rows], z[rows])
    return alpha, z


def _rate(wanted: Float[Array, " s"]) -> Float[Array, " s"]:
    """The z of α = 1: the mean of t falls as z grows."""
    low, high = np.log(LEAST_RATE), np.log(10.0 / np.maximum(wanted - 1, 1e-300))

    def rising(log_z: Values) -> Values:
        return wanted - _moments(np.ones_like(wanted), np.exp(as_float(log_z)))[2]

    return np.exp(bisect(rising, low, high, wanted.shape))


def _newton(
    wanted_log: Float[Array, " s"],
    wanted: Float[Array, " s"],
    alpha: Float[Array, " s"],
    z: Float[Array, " s"],
) -> tuple[Float[Array, " s"], Float[Array, " s"]]:
    """⟨ln t⟩ and ⟨t⟩ as wanted, by Newton's method in α and z, steps cut until the cost falls."""
    if not len(wanted):
        return alpha, z

    def cost(a: Float[Array, " s"], b: Float[Array, " s"]) -> tuple[Array, Array, Array]:
        mass, mean_log, mean, covariance = _moments(a, b)
        slope = np.stack([wanted_log - mean_log, wanted - mean], -1)
        return mass + a * wanted_log + b * wanted, slope, covariance

    value, slope, covariance = cost(alpha, z)
    for _ in range(_STEPS):
        scale = np.sqrt(np.einsum("sii->si", covariance))
        unit = covariance / scale[:, :, None] / scale[:, None, :] + 1e-13 * np.eye(2)
        step = np.linalg.solve(unit, (slope / scale)[..., None])[..., 0] / scale
        share = np.minimum(1.0, 0.9 * z / np.maximum(step[:, 1], 1e-300))
        share = np.where(step[:, 1] > 0, share, 1.0)  # z stays positive
        for _ in range(_HALVINGS):
            tried = alpha - share * step[:, 0], z - share * step[:, 1]
            after = cost(*tried)
            worse = ~(after[0] <= value + 1e-14 * np.abs(value))
            if not worse.any():
                break
            share = np.where(worse, share / 4, share)
        kept = ~worse
        moved = np.abs(share[:, None] * step * scale).max(-1)
        alpha, z = (np.where(kept, t, o) for t, o in zip(tried, (alpha, z), strict=True))
        value = np.where(kept, after[0], value)
        slope = np.where(kept[:, None], after[1], slope)
        covariance = np.where(kept[:, None, None], after[2], covariance)
        if np.where(kept, moved, 0.0).max() < _CONVERGED:
            break
    return alpha, z


def _moments(
    alpha: Float[Array, " s"], z: Float[Array, " s"]
) -> tuple[Float[Array, " s"], Float[Array, " s"], Float[Array, " s"], Float[Array, "s 2 2"]]:
    """Logarithm of ∫ t^(−α) e^(−zt) dt from 1 on, the means of ln t and t, and their covariance."""
    length = np.log1p(UNITS / z)
    steep = alpha > 1
    length = np.where(steep, np.minimum(length, UNITS / np.where(steep, alpha - 1, 1.0)), length)
    nodes, weights = legendre(_NODES)
    u = length[:, None] * nodes
    t = np.exp(u)
    exponent = (1 - alpha)[:, None] * u - z[:, None] * t
    top = exponent.max(-1)
    p = weights * np.exp(exponent - top[:, None])
    total = p.sum(-1)
    p /= total[:, None]
    mean_log, mean = (p * u).sum(-1), (p * t).sum(-1)
    du, dt = u - mean_log[:, None], t - mean[:, None]
    mixed = (p * du * dt).sum(-1)
    covariance = np.stack(
        [
            np.stack([(p * du**2).sum(-1), mixed], -1),
            np.stack([mixed, (p * dt**2).sum(-1)], -1),
        ],
        -1,
    )
    return top + np.log(total * length), mean_log, mean, covariance


def _distances(
    x: Float[Array, " n"], starts: Array, alpha: Float[Array, " s"], z: Float[Array, " s"]
) -> Float[Array, " s"]:
    """Largest |F(x_i) − i/n| of the tails, F summed up from value to value."""
    first = starts[0]
    logs = np.log(x[first:])
    nodes, weights = legendre(_BETWEEN)
    u = logs[:-1, None] + np.diff(logs)[:, None] * nodes  # intervals × nodes
    mass = _moments(alpha, z)[0]
    distances = np.empty(len(starts))
    for row, start in enumerate(starts):
        at = start - first
        own = u[at:] - logs[at]
        inside = np.exp((1 - alpha[row]) * own - z[row] * np.exp(own) - mass[row])
        steps = (inside @ weights) * np.diff(logs[at:])
        law = np.concatenate([[0.0], np.cumsum(steps)])
        distances[row] = np.abs(law - np.arange(len(law)) / len(law)).max()
    return distances
