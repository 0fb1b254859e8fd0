"""The statistics of all studies: means, slopes, shares and comparisons, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binomtest, nct, norm, spearmanr, ttest_1samp

from spectrain.noise.estimate import Estimate, fieller, mean_estimate, symmetric
from spectrain_studies.frame.measured import Measured

LEVEL = 0.95
"""Coverage of the intervals of means and slopes."""
SIGNED = 6
"""Fewest equal signs that a two-sided sign test at 5 % rejects: 2^(1 − 6) = 0.03."""
MANY = 10**6
"""Degrees of freedom where an error is known rather than estimated."""

Array = NDArray[np.float64]
Seeds = Float64[np.ndarray, " seeds"]
Flags = NDArray[np.bool_]


def over_seeds(values: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Mean over seeds with its t interval, of 95 % where nothing else is asked for.

    Missing where a value is not finite, and where fewer than :data:`SIGNED` are all equal: a spread
    of 0 comes from a coarse statistic, and says no more than a sign test does.

    Example:
        >>> round(over_seeds([1.0, 2.0, 3.0]).value, 3)
        2.0
    """
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        return Estimate.missing("a run diverged", replicas=x.size, level=level)
    if x.size > 1 and np.ptp(x) == 0 and x.size < SIGNED:
        reason = f"the seeds do not differ, and fewer than {SIGNED} of one sign tell nothing"
        return Estimate.missing(reason, replicas=x.size, level=level)
    return mean_estimate(torch.from_numpy(x), level=level)


def paired(first: ArrayLike, second: ArrayLike) -> Measured:
    """Mean of first − second over seeds; its p-value and standardized effect in the details."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    estimate = over_seeds(differences)
    if estimate.value is None or np.ptp(differences) == 0:
        return Measured(estimate)
    effect, low, high = effect_size(differences)
    p = float(ttest_1samp(differences, 0.0).pvalue)
    details = {"p_value": p, "effect_size": effect, "effect_low": low, "effect_high": high}
    return Measured(estimate, details=details)


def effect_size(differences: Seeds) -> tuple[float, float, float]:
    """Mean over standard deviation of paired differences, with its exact 95 % interval.

    The interval inverts the noncentral t distribution of √n·d.

    Source:
        Cohen 1988, §2.2 (d_z); Steiger & Fouladi 1997 for the interval.

    Example:
        >>> d, low, high = effect_size(np.array([1.0, 2.0, 3.0, 2.0]))
        >>> round(d, 3), low < d < high
        (2.449, True)
    """
    count = len(differences)
    d = float(np.mean(differences) / np.std(differences, ddof=1))
    t = np.sqrt(count) * d

    def cdf(noncentrality: float) -> float:
        value = float(nct.cdf(t, count - 1, noncentrality))
        limit = 1.0 if noncentrality < t else 0.0  # which SciPy gives as NaN far from t
        return limit if np.isnan(value) else value

    def end(tail: float) -> float:
        reach = 10.0 + 3 * abs(t)
        root = brentq(lambda x: cdf(x) - tail, t - reach, t + reach)
        return float(root / np.sqrt(count))

    return d, end((1 + LEVEL) / 2), end((1 - LEVEL) / 2)


def slope(x: Iterable[float], y: Array) -> Estimate:
    """Least-squares slope of y (arms × seeds) in x (arms), over seeds.

    Example:
        >>> x = np.array([0.0, 1.0, 2.0])
        >>> round(slope(x, np.stack([2 * x, 2 * x + 1, 2.3 * x], 1)).value, 6)
        2.1
    """
    centred = np.array([*x], dtype=np.float64)
    centred = centred - centred.mean()
    return over_seeds(centred @ (y - y.mean(0)) / (centred @ centred))


def log_slope(x: Iterable[float], y: Array) -> Estimate:
    """Exponent of y ∝ x^p, fitted seed by seed in logarithms."""
    return slope(np.log([*x]), np.log(y))


def weighted_slope(x: Sequence[float], y: Sequence[float], errors: Sequence[float]) -> Estimate:
    """Slope of the weighted line through (x, y), its error widened where the line misfits."""
    xs, ys, weights = np.array(x), np.array(y), np.array(errors) ** -2.0
    centred = xs - (weights * xs).sum() / weights.sum()
    information = float((weights * centred**2).sum())
    value = float((weights * centred * ys).sum() / information)
    level = float((weights * ys).sum() / weights.sum())
    chi = (weights * (ys - level - value * centred) ** 2).sum() / max(len(xs) - 2, 1)
    return symmetric(value, max(1.0, float(chi)) ** 0.5 * information**-0.5, replicas=MANY)


def weighted_log_slope(x: Sequence[float], y: Sequence[Estimate]) -> Estimate:
    """Exponent of a power law through estimates, weighted by their errors."""
    relative = [float(each.error or 0) / float(each.value or 1) for each in y]
    logs = [float(np.log(each.value or 1)) for each in y]
    return weighted_slope(np.log(x).tolist(), logs, relative)


def proportionality(x: Sequence[float], y: Sequence[Estimate]) -> Estimate:
    """A of the weighted fit y = a x, its error widened where the fit is worse than its errors."""
    xs = np.array(x)
    values = np.array([each.value for each in y])
    weights = np.array([each.error for each in y]) ** -2.0
    information = float((weights * xs**2).sum())
    a = float((weights * xs * values).sum() / information)
    chi = float((weights * (values - a * xs) ** 2).sum() / max(len(xs) - 1, 1))
    return symmetric(a, max(1.0, chi) ** 0.5 * information**-0.5, replicas=MANY)


def quotient(top: Estimate, bottom: Estimate) -> Estimate:
    """Quotient of independent estimates, to first order in their errors."""
    a, b = float(top.value or 0), float(bottom.value or 1)
    error = abs(a / b) * np.hypot(float(top.error or 0) / a, float(bottom.error or 0) / b)
    return symmetric(a / b, float(error), replicas=min(top.replicas, bottom.replicas))


def ratio_of_means(over: ArrayLike, under: ArrayLike) -> Estimate:
    """Ratio of two averages over the same seeds with Fieller's 90 % interval.

    Example:
        >>> ratio_of_means([1.0, 2.0, 3.0], [2.0, 4.1, 6.0]).covers(0.5)
        True
    """
    pairs = np.stack([np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)])
    count = pairs.shape[1]
    if count < 2:
        return Estimate.missing("fewer than 2 seeds", replicas=count)
    covariance = torch.from_numpy(np.cov(pairs) / count)
    top, bottom = pairs.mean(1).tolist()
    return fieller(top, bottom, covariance, replicas=count)


def distance(sample: ArrayLike, law: Callable[[Array], Array]) -> float:
    """Kolmogorov's distance of a sample from a distribution function.

    Example:
        >>> distance([0.25, 0.75], lambda x: x)
        0.25
    """
    at = np.asarray(law(np.sort(np.ravel(sample))))
    rank = np.arange(at.size) / at.size
    return float(np.maximum(np.abs(at - rank), np.abs(at - rank - 1 / at.size)).max())


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    runs: np.ndarray,
    *,
    generator: np.random.Generator,
    draws: int = 200,
) -> Estimate:
    """A statistic of independent rows with the standard error of its bootstrap."""
    count = len(runs)
    drawn = [statistic(runs[generator.integers(count, size=count)]) for _ in range(draws)]
    return symmetric(statistic(runs), float(np.std(drawn, ddof=1)), replicas=count)


def rank_correlation(x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> Estimate:
    """Spearman's ρ with its 95 % interval: atanh ρ ± z·√((1 + ρ²/2)/(n − 3)).

    Source:
        Bonett & Wright 2000, Psychometrika 65.

    Example:
        >>> rho = rank_correlation(np.arange(12.0), np.arange(12.0) ** 2 % 7)
        >>> rho.low < rho.value < rho.high
        True
    """
    count = len(x)
    if count < 4 or not np.isfinite([*x, *y]).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        reason = "fewer than 4 pairs, a value that is not finite, or no spread"
        return Estimate.missing(reason, replicas=count, level=LEVEL)
    rho = float(spearmanr(x, y).statistic)
    error = ((1 + rho**2 / 2) / (count - 3)) ** 0.5
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    centre = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    low, high = np.tanh([centre - reach, centre + reach]).tolist()
    return Estimate(rho, (1 - rho**2) * error, low, high, count, LEVEL)


def share(flags: ArrayLike) -> Estimate:
    """A share of independent cases with Wilson's 90 % interval.

    Example:
        >>> estimate = share([True] * 19 + [False])
        >>> estimate.value, round(estimate.low, 2)
        (0.95, 0.8)
    """
    x = np.asarray(flags, dtype=bool).ravel()
    count = len(x)
    if not count:
        return Estimate.missing("no case", replicas=0)
    p = float(x.mean())
    interval = binomtest(int(x.sum()), count).proportion_ci(0.9, method="wilson")
    return Estimate(
        p, (p * (1 - p) / count) ** 0.5, float(interval.low), float(interval.high), count
    )


def violations(broken: ArrayLike) -> Measured:
    """The share of cases that break a universal statement, for :class:`Always`.

    Cases of one repetition depend on each other, so repetitions are counted: a t interval over
    their shares. Where no repetition breaks the statement, or each does in all cases, there is no
    spread, and the interval is Clopper and Pearson's of the repetitions: 59 of them are needed to
    show that at most 5 % do.

    Args:
        broken: repetitions × cases, or repetitions alone.

    Example:
        >>> none = violations(np.zeros((60, 9), bool)).value
        >>> none.value, round(none.high, 3)
        (0.0, 0.049)
    """
    flags = np.asarray(broken, dtype=bool)
    flags = flags.reshape(len(flags), -1)
    shares = flags.mean(1)
    details = {"cases": int(flags.size), "violated": int(flags.sum())}
    if len(shares) > 1 and np.ptp(shares) > 0:
        return Measured(over_seeds(shares), details=details)
    count, hits = len(shares), round(float(shares.sum()))
    if not count:
        return Measured(Estimate.missing("no case", replicas=0), details=details)
    low = float(beta.ppf((1 - 0.9) / 2, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf((1 + 0.9) / 2, hits + 1, count - hits)) if hits < count else 1.0
    return Measured(Estimate(float(shares.mean()), None, low, high, count), details=details)


def skill(foretold: ArrayLike, happened: ArrayLike, *, fewest: int = 5) -> Measured:
    """How much more often a rule is right than the better constant answer, for :class:`Skill`.

    share(foretold = happened) − max(w, 1 − w), w = share(happened); over repetitions, as the cases
    of one depend on each other.

    Args:
        foretold: the rule's answers, repetitions × cases.
        happened: what was so.
        fewest: cases of either kind below which nothing is judged.

    Example:
        >>> happened = np.tile([True, False, False], (8, 4))
        >>> never = skill(np.zeros_like(happened), happened)
        >>> never.value.value, never.details["agreement"] == never.details["better constant"]
        (0.0, True)
    """
    rule, truth = (np.asarray(x, dtype=bool) for x in (foretold, happened))
    rule, truth = rule.reshape(len(rule), -1), truth.reshape(len(truth), -1)
    won = float(truth.mean())
    agreed, constant = (rule == truth).mean(1), (truth if won >= 0.5 else ~truth).mean(1)
    details = {
        "agreement": float(agreed.mean()),
        "better constant": float(constant.mean()),
        "share foretold": float(rule.mean()),
        "share happened": won,
        "right where foretold": float(truth[rule].mean()) if rule.any() else None,
    }
    kinds = min(int(truth.sum()), int((~truth).sum()))
    few = f"Only {kinds} cases of one kind: at least {fewest} of either are needed"
    unsettled = few if kinds < fewest else ""
    excess = agreed - constant
    if np.ptp(excess) == 0:  # on every repetition the same, as where rule and constant agree
        value = float(excess.mean())
        same = Estimate(value, 0.0, value, value, len(rule), LEVEL)
        return Measured(same, details=details, unsettled=unsettled)
    advantage = mean_estimate(torch.from_numpy(excess), level=LEVEL)
    return Measured(advantage, details=details, unsettled=unsettled)


def as_details(estimate: Estimate) -> dict[str, Any]:
    """An estimate as plain details."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
