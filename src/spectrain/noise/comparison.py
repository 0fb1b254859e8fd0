"""Which kind of noise: do the deviations of directions fall with σ_i or stay level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import add
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.noise.alignment import Groups
from spectrain.noise.directions import Directions
from spectrain.noise.estimate import LEVEL, Estimate, jackknife

Verdict = Literal["isotropic additive", "signal-proportional", "undecided"]

EVIDENCE = math.log(20.0)
"""Log-likelihood ratio that a verdict needs: twenty to one."""

CONTRAST = 0.5
"""Root mean square of ln q_isotropic − ln q_proportional below which the singular values cover too
small a range for the two curves to differ."""

WORST_FIT = math.log(2.0)
"""Root mean square log error above which even the better model does not describe the data."""

GRID = (-2.0, 0.5, 48)
"""Variances that are tried, relative to the first-order estimate: log₁₀ of the ends, and number."""

ROUNDS = 30
"""Fixed-point rounds of a fit; each contracts the error by more than two."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models of the deviations q_i = 1/c_i² − 1, fitted on both sides of every direction.

    Attributes:
        verdict: "isotropic additive", "signal-proportional" or "undecided".
        score: log-likelihood ratio, positive in favour of signal-proportional noise.
        isotropic: q_i that isotropic additive noise predicts, left and right.
        proportional: q_i that signal-proportional noise predicts.
        measured: q_i as measured.
        isotropic_error: root mean square of ln measured − ln predicted.
        proportional_error: the same for the other model.
        reason: why the verdict is "undecided".
    """

    verdict: Verdict
    score: Estimate
    isotropic: Float[Tensor, "2 k"]
    proportional: Float[Tensor, "2 k"]
    measured: Float[Tensor, "2 k"]
    isotropic_error: float
    proportional_error: float
    reason: str | None = None


def compare_noise_models(
    directions: Directions, shape: tuple[int, int], *, level: float = LEVEL
) -> Comparison:
    """Isotropic additive against signal-proportional noise, from the overlaps of replicas.

    Isotropic noise of variance s² an entry turns direction i by q_i ≈ m s²/σ_i², falling with σ_i;
    noise in proportion to the signal turns all by about m a². Both predictions include the mixing
    of neighbours, each has one free scale a side, and errors are taken as normal in ln q with one
    unknown variance: the score is (g/2) ln(RSS_isotropic/RSS_proportional) for g subspaces, its
    interval the jackknife's over replicas. Multiplicative noise and additive noise in proportion to
    the signal predict the same here; :func:`~spectrain.noise.product_coupling` tells them apart.

    Args:
        directions: of at least 4 replicas and 3 directions.
        shape: (m, n) of the gradient.
        level: coverage of the score's interval, which must exclude 0 for a verdict.

    Source:
        Benaych-Georges & Nadakuditi 2012, §3.1 (isotropic); first-order perturbation theory
        (:func:`~spectrain.noise.multiplicative_overlaps`).

    Example:
        >>> import torch
        >>> from spectrain.noise import additive, directions
        >>> signal = torch.zeros(60, 60)
        >>> signal[range(6), range(6)] = torch.tensor([200.0, 150.0, 110.0, 80.0, 60.0, 45.0])
        >>> g = torch.Generator().manual_seed(0)
        >>> replicas = additive(signal, replicas=8, generator=g)
        >>> compare_noise_models(directions(replicas, k=6), (60, 60)).verdict
        'isotropic additive'
    """
    count, groups = directions.count, directions.groups
    measured = _deviations(torch.stack(directions.true_overlaps()))
    sigma = directions.mean.values.to(measured)
    if count < 4 or len(groups) < 3 or bool((sigma == 0).any()):
        few = "fewer than 4 replicas" if count < 4 else "fewer than 3 separate directions"
        empty = torch.full_like(measured, torch.nan)
        none = Estimate.missing(few, replicas=count, level=level)
        return Comparison("undecided", none, empty, empty, measured, math.nan, math.nan, few)
    isotropic = _isotropic(measured, sigma, shape, groups, count)
    proportional = _proportional(measured, sigma, shape, groups)
    left_out = _deviations(torch.stack(directions.overlaps_without_each()))
    rest = (
        _isotropic(left_out, sigma, shape, groups, count),
        _proportional(left_out, sigma, shape, groups),
    )
    score = jackknife(
        _score(measured, isotropic, proportional, len(groups)).item(),
        _score(left_out, *rest, len(groups)).cpu(),
        level=level,
    )
    errors = _log_error(measured, isotropic), _log_error(measured, proportional)
    verdict, reason = _verdict(score, min(errors), _log_error(isotropic, proportional))
    return Comparison(verdict, score, isotropic, proportional, measured, *errors, reason)


def _verdict(score: Estimate, error: float, contrast: float) -> tuple[Verdict, str | None]:
    if score.value is None or score.low is None or score.high is None:
        return "undecided", score.reason
    if contrast < CONTRAST:
        return "undecided", "the singular values are too alike to tell"
    if error > WORST_FIT:
        return "undecided", "neither model describes the deviations"
    if abs(score.value) < EVIDENCE or score.low <= 0 <= score.high:
        return "undecided", "the models predict the data about equally well"
    return ("signal-proportional" if score.value > 0 else "isotropic additive"), None


def _deviations(overlaps: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Squared tangents q = 1/c² − 1, away from 0 and infinity."""
    c2 = overlaps.clamp(1e-6, 1 - 1e-12)
    return 1 / c2 - 1


def _score(measured: Tensor, isotropic: Tensor, proportional: Tensor, points: int) -> Tensor:
    tiny = torch.finfo(measured.dtype).tiny
    squares = _squares(measured, isotropic), _squares(measured, proportional)
    ratio = squares[0].clamp(min=tiny).log() - squares[1].clamp(min=tiny).log()
    return ratio * (points / 2)


def _squares(measured: Tensor, predicted: Tensor) -> Tensor:
    """Residual sum of squares of ln q over sides (first) and directions (last)."""
    return (measured.log() - predicted.log()).square().sum((0, -1))


def _log_error(measured: Tensor, predicted: Tensor) -> float:
    """Root mean square of ln measured − ln predicted."""
    return _squares(measured, predicted).div(measured.numel()).sqrt().item()


def _isotropic(
    q: Float[Tensor, "2 *batch k"],
    sigma: Float[Tensor, " k"],
    shape: tuple[int, int],
    groups: Groups,
    replicas: int,
) -> Float[Tensor, "2 *batch k"]:
    """Least squares in ln q over a grid of variances (s_L², s_R²), then a free scale a side."""
    flat = q.reshape(2, -1, q.shape[-1])
    x, (m, n) = sigma.square(), shape
    sizes = torch.tensor([[m], [n]]).to(q)
    first = (flat.log() + x.log()).mean((1, 2)).exp() / sizes.squeeze(1)
    grid = torch.logspace(*GRID, device=q.device, dtype=q.dtype)
    left, right = first[0] * grid.reshape(-1, 1, 1), first[1] * grid.reshape(1, -1, 1)
    curves = _isotropic_curves(sigma, shape, left, right, groups, replicas).flatten(1, 2)
    residual = flat.log().unsqueeze(2) - curves.log().unsqueeze(1)
    best = residual.square().sum((0, -1)).argmin(-1)
    fitted = curves[:, best]
    scale = (flat.log() - fitted.log()).mean(-1, keepdim=True).exp()
    return (scale * fitted).reshape(q.shape)


def _isotropic_curves(
    sigma: Tensor,
    shape: tuple[int, int],
    left: Tensor,
    right: Tensor,
    groups: Groups,
    replicas: int,
) -> Float[Tensor, "2 left right k"]:
    """q_L = m s_L²(x + n s_R²)/(x² − mn s_L²s_R²) + s_L²P; q_R with the sides exchanged.

    Benaych-Georges & Nadakuditi's overlap with the mixing P of resolved neighbours. x is the energy
    of the signal: that of the mean less what noise of variance s²/R adds to it. An overlap is no
    lower than chance, 1/m.
    """
    (m, n), y = shape, sigma.square()
    excess = y - (m * left + n * right) / replicas
    least = (m * n * left * right).sqrt() / replicas
    inside = (excess.square() - 4 * least.square()).clamp(min=0)
    x = ((excess.clamp(min=0) + inside.sqrt()) / 2).maximum(least)
    ones = torch.ones_like(y).expand(y.numel(), -1)
    mixing = _outside(_pairs(y, add), groups) - _outside(ones, groups) / y
    room = x.square() - m * n * left * right
    curves = []
    for size, own, far, other in ((m, left, n, right), (n, right, m, left)):
        smooth = size * own * (x + far * other) / torch.where(room > 0, room, 1.0) + own * mixing
        lost = torch.full_like(smooth, size - 1.0)
        curves.append(torch.where(room > 0, smooth.clamp(1e-12, size - 1.0), lost))
    return torch.stack(curves)


def _proportional(
    q: Float[Tensor, "2 *batch k"], sigma: Tensor, shape: tuple[int, int], groups: Groups
) -> Float[Tensor, "2 *batch k"]:
    """q_L = a²(A + m − k) + b²B, A = Σ(σ_i⁴ + σ_j⁴)/(…)², B = Σ2σ_i²σ_j²/(…)²; q_R likewise."""
    x = sigma.square()
    own = torch.tensor(shape).to(q).reshape(2, *[1] * (q.ndim - 1)) - x.numel()
    a = _outside(_pairs(x, lambda i, j: i.square() + j.square()), groups) + own
    b = _outside(_pairs(x, lambda i, j: 2 * i * j), groups)
    scale = (q.log() - a.log()).mean(-1, keepdim=True).exp()
    for _ in range(ROUNDS):
        template = a + b * (scale.flip(0) / scale)
        scale = (scale * (q.log() - template.log()).mean(-1, keepdim=True).exp()).sqrt()
    return scale * template


def _pairs(x: Tensor, numerator: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, "k k"]:
    """numerator(x_i, x_j)/(x_i − x_j)², i along columns, 0 on the diagonal."""
    i, j = x.expand(x.numel(), -1), x.unsqueeze(1).expand(-1, x.numel())
    gaps = (i - j).square() + torch.eye(x.numel()).to(x)
    return (numerator(i, j) / gaps).fill_diagonal_(0.0)


def _outside(pairs: Float[Tensor, "k k"], groups: Groups) -> Float[Tensor, " k"]:
    """Sums over j outside i's degenerate subspace, averaged within it."""
    kept = torch.ones_like(pairs)
    for start, stop in groups:
        kept[start:stop, start:stop] = 0.0
    sums = (pairs * kept).sum(0)
    return torch.cat([sums[a:b].mean().expand(b - a) for a, b in groups])
