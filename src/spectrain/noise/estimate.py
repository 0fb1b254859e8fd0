"""An estimate: value, standard error and confidence interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spectrain.core.student import t_quantile

NOT_FINITE = "not finite"
"""Why there is no estimate where an observation is infinite or undefined: no mean exists."""

LEVEL = 0.9
"""Coverage of the intervals where none is asked for."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic over replicas.

    Attributes:
        value: the point estimate; ``None`` where the data hold no answer, and then ``reason`` says
            why.
        error: standard error, in the unit of the value.
        low: lower end of the confidence interval.
        high: upper end; infinite where the data do not bound the value.
        replicas: how many independent replicas the estimate rests on.
        level: nominal coverage of the interval.
        reason: why the value is missing or qualified.
    """

    value: float | None
    error: float | None
    low: float | None
    high: float | None
    replicas: int
    level: float = LEVEL
    reason: str | None = None

    @classmethod
    def missing(cls, reason: str, *, replicas: int, level: float = LEVEL) -> Estimate:
        """No answer, and why: an answer in its own right."""
        return cls(None, None, None, None, replicas, level, reason)

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit, ``factor`` positive."""
        value, error, low, high = (
            None if x is None else factor * x for x in (self.value, self.error, self.low, self.high)
        )
        return Estimate(value, error, low, high, self.replicas, self.level, self.reason)

    def covers(self, truth: float) -> bool:
        """Whether the interval holds ``truth``; a missing estimate holds nothing."""
        return self.low is not None and self.high is not None and self.low <= truth <= self.high


def mean_estimate(samples: Float[Tensor, " replicas"], *, level: float = LEVEL) -> Estimate:
    """Mean of independent samples with its t interval.

    Example:
        >>> import torch
        >>> estimate = mean_estimate(torch.tensor([1.0, 2.0, 3.0]))
        >>> estimate.value, round(estimate.error, 4)
        (2.0, 0.5774)
    """
    count = samples.numel()
    if count < 2:
        return Estimate.missing("fewer than 2 replicas", replicas=count, level=level)
    x = samples.double()
    if not bool(x.isfinite().all()):
        return Estimate.missing(NOT_FINITE, replicas=count, level=level)
    return symmetric(x.mean().item(), (x.std() / count**0.5).item(), replicas=count, level=level)


def jackknife(
    value: float, leave_one_out: Float[Tensor, " replicas"], *, level: float = LEVEL
) -> Estimate:
    """Delete-one jackknife: se² = ((R−1)/R) Σ(θ₋ᵣ − θ̄)², interval θ̂ ± t_{R−1} se.

    Args:
        value: the statistic of all replicas.
        leave_one_out: the statistic without each replica in turn.
        level: nominal coverage.

    Source:
        Efron & Stein 1981; Tukey 1958 for the t interval.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 2.0, 3.0])
        >>> estimate = jackknife(2.0, (x.sum() - x) / 2)   # of a mean: its usual standard error
        >>> round(estimate.error, 4)
        0.5774
    """
    count = leave_one_out.numel()
    if count < 2:
        return Estimate.missing("fewer than 2 replicas", replicas=count, level=level)
    if not (math.isfinite(value) and bool(leave_one_out.isfinite().all())):
        return Estimate.missing(NOT_FINITE, replicas=count, level=level)
    error = jackknife_covariance(leave_one_out.unsqueeze(0)).sqrt().item()
    return symmetric(value, error, replicas=count, level=level)


def jackknife_log(
    value: float, leave_one_out: Float[Tensor, " replicas"], *, level: float = LEVEL
) -> Estimate:
    """The jackknife of a positive statistic, its interval symmetric in the logarithm.

    Source:
        Efron & Tibshirani 1993, §13.3 (intervals respect the transformation in which they are
        drawn); the logarithm stabilises the variance of a variance.

    Example:
        >>> import torch
        >>> estimate = jackknife_log(4.0, torch.tensor([3.0, 4.0, 5.0]))
        >>> round(estimate.low * estimate.high, 6)
        16.0
    """
    if not (math.isfinite(value) and bool(leave_one_out.isfinite().all())):
        return Estimate.missing(NOT_FINITE, replicas=leave_one_out.numel(), level=level)
    if value <= 0 or not bool((leave_one_out > 0).all()):
        return Estimate.missing("not positive", replicas=leave_one_out.numel(), level=level)
    log = jackknife(math.log(value), leave_one_out.double().log(), level=level)
    if log.error is None or log.low is None or log.high is None:
        return log
    ends = math.exp(log.low), math.exp(log.high)
    return Estimate(value, value * log.error, *ends, log.replicas, level)


def jackknife_covariance(leave_one_out: Tensor) -> Tensor:
    """Covariance ((R−1)/R) Σ(θ₋ᵣ − θ̄)(θ₋ᵣ − θ̄)ᵀ of statistics (rows) left out (columns)."""
    x = leave_one_out.double()
    centred = x - x.mean(-1, keepdim=True)
    count = x.shape[-1]
    return (centred @ centred.mT * ((count - 1) / count)).squeeze()


def symmetric(value: float, error: float, *, replicas: int, level: float = LEVEL) -> Estimate:
    """Interval value ± t_{R−1}·error."""
    margin = t_quantile(level, replicas - 1) * error
    return Estimate(value, error, value - margin, value + margin, replicas, level)


def fieller(
    numerator: float,
    denominator: float,
    covariance: Float[Tensor, "2 2"],
    *,
    replicas: int,
    level: float = LEVEL,
) -> Estimate:
    """Ratio of two averages: {θ : (N − θD)² ≤ t²·Var(N − θD)}.

    The interval keeps its coverage where the denominator is poorly known; it is the whole line
    where the denominator itself cannot be told from 0.

    Args:
        numerator: N.
        denominator: D, not 0.
        covariance: of the pair (N, D), sampling covariance of the averages.
        replicas: number of independent replicas; the quantile is t_{R−1}.
        level: nominal coverage.

    Source:
        Fieller 1954.

    Example:
        >>> import torch
        >>> estimate = fieller(6.0, 3.0, 0.01 * torch.eye(2), replicas=100)
        >>> round(estimate.value, 6), round(estimate.low, 2), round(estimate.high, 2)
        (2.0, 1.88, 2.13)
    """
    (nn, nd), (_, dd) = covariance.tolist()
    if not all(map(math.isfinite, (numerator, denominator, nn, nd, dd))):
        return Estimate.missing(NOT_FINITE, replicas=replicas, level=level)
    t2 = t_quantile(level, replicas - 1) ** 2
    ratio = numerator / denominator
    error = math.sqrt(max(nn - 2 * ratio * nd + ratio**2 * dd, 0.0)) / abs(denominator)
    a = denominator**2 - t2 * dd
    if a <= 0:
        reason = "the denominator cannot be told from 0"
        return Estimate(ratio, error, -math.inf, math.inf, replicas, level, reason)
    b = numerator * denominator - t2 * nd
    spread = math.sqrt(max(b**2 - a * (numerator**2 - t2 * nn), 0.0))
    return Estimate(ratio, error, (b - spread) / a, (b + spread) / a, replicas, level)
