"""Signal, noise and noise scale of one gradient with confidence intervals."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.deviations import Deviations
from spectrain.noise.estimate import (
    LEVEL,
    NOT_FINITE,
    Estimate,
    fieller,
    jackknife_covariance,
    jackknife_log,
)

SKEW_DIMENSION = 10.0
"""Noise of fewer dimensions leaves the signal too skewed for a t interval of exact variance: there
the jackknife keeps its surplus. Found by simulation at R = 8, 16, 32 and dimensions 2.5 to 300."""


def signal_to_noise(deviations: Deviations, *, level: float = LEVEL) -> Estimate:
    """‖E g‖²/tr C of a replica of average weight, with Fieller's interval; 0 on pure noise.

    Numerator U and denominator V are averaged first and divided once. Their covariance is the
    jackknife's, less the amount by which the jackknife exceeds Var U where the noise dominates:
    2 tr C²/((R−1)(R−2)) for a U-statistic of order two. The subtraction fades out as the dimension
    (tr C)²/tr C² of the noise falls to :data:`SKEW_DIMENSION`.

    Args:
        deviations: of at least three replicas; sums over blocks give the ratio of the whole.
        level: nominal coverage.

    Source:
        Fieller 1954; Efron & Stein 1981, §2 (the bias of the jackknife variance).

    Example:
        >>> import torch
        >>> from spectrain.noise import deviations, moments
        >>> g = 1 + torch.randn(12, 500, generator=torch.Generator().manual_seed(0))
        >>> signal_to_noise(deviations(g, moments(g))).covers(1.0)
        True
    """
    count = deviations.count
    if count < 3:
        return Estimate.missing("fewer than 3 replicas", replicas=count, level=level)
    if not deviations.finite:
        return Estimate.missing(NOT_FINITE, replicas=count, level=level)
    signal, variance = deviations.signal.item(), deviations.variance.item()
    if variance == 0:
        silent = signal == 0
        reason = "zero gradient" if silent else "the replicas are identical"
        return Estimate.missing(reason, replicas=count, level=level)
    ratio = fieller(signal, variance, _covariance(deviations), replicas=count, level=level)
    return ratio.scaled(_draws(deviations))


def simple_noise_scale(deviations: Deviations, *, level: float = LEVEL) -> Estimate:
    """Gradient noise scale tr C/‖E g‖²: the batch size at which noise and signal are even.

    The reciprocal of :func:`signal_to_noise`, end by end. Where that interval reaches 0 the data
    do not bound the noise scale: its upper end is infinite and the reason says "not enough
    replicas".

    Args:
        deviations: with batch sizes as weights, the scale is in examples; with unit weights, in
            replicas.
        level: nominal coverage.

    Source:
        McCandlish et al. 2018, eq. (2.9), appendix A.1.

    Example:
        >>> import torch
        >>> from spectrain.noise import deviations, moments
        >>> g = 1 + torch.randn(12, 500, generator=torch.Generator().manual_seed(0))
        >>> simple_noise_scale(deviations(g, moments(g))).covers(1.0)
        True
    """
    return reciprocal(signal_to_noise(deviations, level=level)).scaled(_draws(deviations))


def energy_share(deviations: Deviations, *, level: float = LEVEL) -> Estimate:
    """ρ = ‖E g‖²/E‖g‖² = s/(1 + s) of a replica of average weight, s its signal-to-noise ratio.

    Example:
        >>> import torch
        >>> from spectrain.noise import deviations, moments
        >>> g = 1 + torch.randn(12, 500, generator=torch.Generator().manual_seed(0))
        >>> energy_share(deviations(g, moments(g))).covers(0.5)
        True
    """
    s = signal_to_noise(deviations, level=level)
    if s.value is None or s.error is None or s.low is None or s.high is None:
        return s
    low, value, high = (_share(x) for x in (s.low, s.value, s.high))
    error = s.error / (1 + s.value) ** 2
    return Estimate(value, error, low, high, s.replicas, level, s.reason)


def entry_noise(deviations: Deviations, *, level: float = LEVEL) -> Estimate:
    """Variance of an entry of a replica of average weight, with an interval in the logarithm.

    Example:
        >>> import torch
        >>> from spectrain.noise import deviations, moments
        >>> g = 1 + torch.randn(12, 500, generator=torch.Generator().manual_seed(0))
        >>> entry_noise(deviations(g, moments(g))).covers(1.0)
        True
    """
    if deviations.count < 3:
        return Estimate.missing("fewer than 3 replicas", replicas=deviations.count, level=level)
    if not deviations.finite:
        return Estimate.missing(NOT_FINITE, replicas=deviations.count, level=level)
    _, left_out = deviations.leave_one_out()
    trace = jackknife_log(deviations.variance.item(), left_out.cpu(), level=level)
    return trace.scaled(1 / (_draws(deviations) * deviations.entries))


def noise_scale_of_two_batches(
    small: Float[Tensor, " n"],
    large: Float[Tensor, " n"],
    *,
    small_batch: float | int,
    large_batch: float | int,
    level: float = LEVEL,
) -> Estimate:
    """Gradient noise scale from squared gradient norms at two batch sizes.

    |G|² = (B‖g_B‖² − b‖g_b‖²)/(B − b) and S = (‖g_b‖² − ‖g_B‖²)/(1/b − 1/B) are each averaged over
    the n observations before they are divided: the average of ratios is biased and may not exist.
    With an observation that is not finite there is no mean, and the reason says which one it is.

    Args:
        small: ‖g_b‖², such as the mean over ranks of the squared norm before the reduction.
        large: ‖g_B‖² of the same steps, after the reduction.
        small_batch: b, in examples.
        large_batch: B, in examples.
        level: nominal coverage; the observations are taken as independent.

    Raises:
        InputError: the batch sizes are not 0 < b < B.

    Source:
        McCandlish et al. 2018, appendix A.1.

    Example:
        >>> import torch
        >>> estimate = noise_scale_of_two_batches(
        ...     torch.tensor([2.0, 2.2, 1.8]), torch.tensor([1.1, 1.3, 1.2]),
        ...     small_batch=1, large_batch=10)
        >>> round(estimate.value, 4)
        0.8
    """
    if not 0 < small_batch < large_batch:
        raise InputError(
            f"batch sizes {small_batch} and {large_batch}", remedy="take 0 < small < large"
        )
    count = small.numel()
    if count < 2:
        return Estimate.missing("fewer than 2 observations", replicas=count, level=level)
    at_small, at_large = small.double(), large.double()
    if lost := (~(at_small.isfinite() & at_large.isfinite())).nonzero().flatten().tolist():
        reason = f"{NOT_FINITE}: {len(lost)} of {count} observations, first number {lost[0] + 1}"
        return Estimate.missing(reason, replicas=count, level=level)
    signal = (large_batch * at_large - small_batch * at_small) / (large_batch - small_batch)
    noise = (at_small - at_large) / (1 / small_batch - 1 / large_batch)
    covariance = torch.stack([signal, noise]).cov() / count
    if noise.mean() == 0:
        return Estimate.missing("the replicas are identical", replicas=count, level=level)
    means = signal.mean().item(), noise.mean().item()
    return reciprocal(fieller(*means, covariance.cpu(), replicas=count, level=level))


def reciprocal(ratio: Estimate) -> Estimate:
    """1/θ for a θ that is not negative, end by end; unbounded where θ may be 0.

    Example:
        >>> estimate = reciprocal(Estimate(0.5, 0.1, 0.25, 1.0, replicas=9))
        >>> estimate.value, estimate.low, estimate.high
        (2.0, 1.0, 4.0)
    """
    if ratio.value is None or ratio.error is None or ratio.low is None or ratio.high is None:
        return ratio
    enough = ratio.low > 0
    value = 1 / ratio.value if ratio.value > 0 else math.inf
    return Estimate(
        value=value,
        error=ratio.error * value**2,
        low=1 / ratio.high if ratio.high > 0 else math.inf,
        high=1 / ratio.low if enough else math.inf,
        replicas=ratio.replicas,
        level=ratio.level,
        reason=ratio.reason if enough else "not enough replicas: the signal may be 0",
    )


def _draws(deviations: Deviations) -> float:
    """Average weight W/R of a replica."""
    return deviations.weight.item() / deviations.count


def _share(s: float) -> float:
    """s/(1 + s); a ratio that noise makes negative stays above −1/2."""
    return 1.0 if math.isinf(s) and s > 0 else max(s, -0.5) / (1 + max(s, -0.5))


def _covariance(deviations: Deviations) -> Float[Tensor, "2 2"]:
    """Sampling covariance of (signal, variance)."""
    count = deviations.count
    covariance = jackknife_covariance(torch.stack(deviations.leave_one_out())).cpu()
    pair_variance = deviations.pair_variance()
    draws = deviations.weight / count
    excess = 2 * pair_variance / draws**2 / ((count - 1) * (count - 2))
    dimension = deviations.variance**2 / pair_variance
    share = (1 - SKEW_DIMENSION / dimension).clamp(min=0)
    least = covariance[0, 0] * (count - 2) / (2 * (count - 1))
    covariance[0, 0] = torch.maximum(covariance[0, 0] - (share * excess).cpu(), least)
    return covariance
