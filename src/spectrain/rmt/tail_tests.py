"""Is the tail a power law? Goodness of fit, and comparison with other tails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import chdtrc, erfc, erfcx

from spectrain.core import InputError
from spectrain.rmt.law import Array, finite_sample, legendre, numpy_generator
from spectrain.rmt.power_law import PowerLawFit, fit_power_law

TAIL_UNITS = 45.0  # e^−45 = 3e-20: where integrals over a tail are cut


def power_law_p_value(
    values: Float[Array, " n"],
    fit: PowerLawFit,
    *,
    generator: torch.Generator,
    replicates: int = 100,
) -> float:
    """Probability that a sample with a true power-law tail is as far from its fit as this one.

    Each synthetic sample draws every value from the fitted tail with probability n_tail/n and else
    from the values below x_min, and is scanned for its own x_min. Below 0.1 the power law is ruled
    out. Values are taken as independent: eigenvalues of one matrix are more regular than that,
    which makes the test forgiving.

    Args:
        values: the sample that was fitted.
        fit: result of :func:`~spectrain.rmt.fit_power_law`.
        generator: source of the synthetic samples.
        replicates: their number R; the p-value has a standard error of at most 1/(2√R).

    Raises:
        InputError: fewer than ten replicates, or a value that is not positive and finite.

    Source: Clauset, Shalizi & Newman (2009), §4.1.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> uniform = np.linspace(1.0, 2.0, 200)
        >>> power_law_p_value(uniform, fit_power_law(uniform), generator=generator) < 0.1
        True
    """
    if replicates < 10:
        raise InputError(f"replicates is {replicates}", remedy="pass at least 10")
    sample = finite_sample("values", values)
    body = sample[sample < fit.law.start]
    rng = numpy_generator(generator)
    exceeded = 0
    for _ in range(replicates):
        in_tail = int(rng.binomial(sample.size, 1 - body.size / sample.size))
        tail = fit.law.start * np.exp(rng.exponential(size=in_tail) / (fit.law.exponent - 1))
        synthetic = np.concatenate([rng.choice(body, sample.size - in_tail), tail])
        exceeded += fit_power_law(synthetic).distance >= fit.distance
    return exceeded / replicates


@dataclass(frozen=True, slots=True)
class TailComparison:
    """Power law against another tail.

    Attributes:
        log_ratio: log-likelihood of the power law minus that of the other, over the whole tail;
            positive where the power law fits better.
        p_value: of a ratio this far from zero if both were equally good; above 0.1 the data cannot
            tell them apart.
    """

    log_ratio: float
    p_value: float


def compare_tails(values: Float[Array, " n"], fit: PowerLawFit) -> dict[str, TailComparison]:
    """Compare the fitted power law with other tails from the same x_min on, by likelihood.

    ``"exponential"``: e^{−x/c}. ``"lognormal"``. ``"truncated"``: x^{−α} e^{−x/c}, of which the
    power law is the case c = ∞, so that it can never be worse than the power law.
    The variance of the pointwise ratio gives the p-value (Vuong); for the nested truncated law
    twice the ratio is χ² with one degree of freedom.

    Args:
        values: the sample that was fitted.
        fit: result of :func:`~spectrain.rmt.fit_power_law`.

    Raises:
        InputError: fewer than three values in the tail, or one that is not finite.

    Source: Clauset, Shalizi & Newman (2009), §5; Vuong (1989).

    Example:
        >>> from spectrain.rmt import PowerLaw
        >>> generator = torch.Generator().manual_seed(0)
        >>> values = PowerLaw(2.5, 1.0).sample(500, generator=generator)
        >>> others = compare_tails(values, fit_power_law(values))
        >>> others["exponential"].p_value < 0.01, others["truncated"].p_value > 0.1
        (True, True)
    """
    sample = finite_sample("values", values)
    ratio = np.sort(sample[sample >= fit.law.start]) / fit.law.start
    if ratio.size < 3 or ratio[-1] == 1:
        raise InputError(
            f"the tail holds {ratio.size} values", remedy="compare tails of three values or more"
        )
    power = np.log(fit.law.exponent - 1) - fit.law.exponent * np.log(ratio)
    return {
        "exponential": _vuong(power - _exponential(ratio)),
        "lognormal": _vuong(power - _lognormal(np.log(ratio))),
        "truncated": _nested(power - _truncated(ratio)),
    }


def _vuong(difference: Float[Array, " n"]) -> TailComparison:
    total = float(difference.sum())
    spread = float(np.sqrt(2 * difference.size) * difference.std())
    return TailComparison(total, float(erfc(abs(total) / spread)) if spread else 1.0)


def _nested(difference: Float[Array, " n"]) -> TailComparison:
    total = min(float(difference.sum()), 0.0)
    return TailComparison(total, float(chdtrc(1, -2 * total)))


def _exponential(ratio: Float[Array, " n"]) -> Float[Array, " n"]:
    """Pointwise log-likelihood of x/x_min under the best exponential."""
    rate = 1 / (ratio.mean() - 1)
    return np.asarray(np.log(rate) - rate * (ratio - 1))


def _lognormal(logs: Float[Array, " n"]) -> Float[Array, " n"]:
    """Pointwise log-likelihood of x/x_min under the best lognormal, cut at 1.

    In y = log x/x_min it is e^{by − ay²}/Z, an exponential family, where a → 0 is the power law.
    """

    def pointwise(parameters: Float[Array, " 2"]) -> Float[Array, " n"]:
        b, a = parameters[0], np.exp(parameters[1])
        z = -b / (2 * np.sqrt(a))
        tail = np.log(erfcx(z)) if z > 0 else z**2 + np.log(erfc(z))
        norm = (np.log(np.pi) - parameters[1]) / 2 - np.log(2) + tail
        return np.asarray(b * logs - a * logs**2 - norm - logs)

    rate = 1 / logs.mean()
    return pointwise(_best(pointwise, np.array([-rate, np.log(0.1 * rate**2)])))


def _truncated(ratio: Float[Array, " n"]) -> Float[Array, " n"]:
    """Pointwise log-likelihood of x/x_min under the best power law with an exponential cut-off."""

    def pointwise(parameters: Float[Array, " 2"]) -> Float[Array, " n"]:
        exponent, rate = parameters[0], np.exp(parameters[1])
        norm = np.log(_exponential_integral(exponent, rate))
        return np.asarray(-exponent * np.log(ratio) - rate * ratio - norm)

    start = np.array([1 + 1 / np.log(ratio).mean(), -np.log(10 * ratio[-1])])
    return pointwise(_best(pointwise, start))


def _exponential_integral(order: float, z: float) -> float:
    """E_α(z) = ∫ t^{−α} e^{−zt} dt from 1 on, for real α, by quadrature in log t."""
    length = np.log1p(TAIL_UNITS / z)
    if order > 1:
        length = min(length, TAIL_UNITS / (order - 1))
    nodes, weights = legendre(200)
    u = length * nodes
    return float(length * weights @ np.exp((1 - order) * u - z * np.exp(u)))


def _best(
    pointwise: Callable[[Float[Array, " 2"]], Float[Array, " n"]], start: Float[Array, " 2"]
) -> Float[Array, " 2"]:
    """Parameters of largest likelihood."""

    def cost(parameters: Float[Array, " 2"]) -> float:
        return -float(pointwise(parameters).mean())

    result = minimize(cost, start.tolist(), method="Nelder-Mead", tol=1e-8)
    return np.asarray(result.x)
