"""Echo plateaus: how far below 1 the leading directions saturate, predicted and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.noise.directions import Directions
from spectrain.noise.echo import pair_energy, root_estimate, without_each
from spectrain.noise.estimate import LEVEL, Estimate, jackknife, symmetric


@dataclass(frozen=True, slots=True)
class Plateaus:
    """The four summaries over the k leading directions.

    An overlap of a subspace of p directions with a random one is p/m on the left and p/n on the
    right; c_L² and c_R² are without that chance, (c² − p/m)/(1 − p/m), which also makes directions
    of a subspace comparable with single ones. s_i is the share of c_L² c_R² whose pair has the sign
    of its reference less the share that has the opposite one: 1 where the replicas agree, 0 in the
    mean where E g = 0.

    Attributes:
        zeta_emp: empirical plateau, root of the median over i ≤ k of the echo's square ζ_i².
        zeta_pred: predicted plateau, root of the median of s_i c_L,i² c_R,i².
        eta_mult: noise strength, 1 − mean of s_i c_L,i² c_R,i².
        gamma_echo: echo gap, 1 − ζ_emp².
        gamma_minus_eta: γ_echo − η_mult; 0 if echo and overlaps agree.
    """

    zeta_emp: Estimate
    zeta_pred: Estimate
    eta_mult: Estimate
    gamma_echo: Estimate
    gamma_minus_eta: Estimate


def plateaus(directions: Directions, *, level: float = LEVEL) -> Plateaus:
    """Plateaus with delete-one jackknife intervals; needs four replicas.

    Intervals of roots are those of the squares, mapped end by end: on pure noise they hold 0.

    Source:
        “Multiplicative noise model for minibatch gradients”, “Connection to spectral echo”.

    Example:
        >>> import torch
        >>> from spectrain.noise import directions
        >>> noise = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(0))
        >>> signal = torch.zeros(20, 30).index_put((torch.arange(2),) * 2, torch.tensor([90., 60.]))
        >>> measured = plateaus(directions(signal + noise, k=2))
        >>> 0.9 < measured.zeta_emp.value < 1, measured.gamma_echo.covers(measured.eta_mult.value)
        (True, True)
    """
    count = directions.count
    if count < 4:
        few = Estimate.missing("fewer than 4 replicas", replicas=count, level=level)
        return Plateaus(few, few, few, few, few)
    whole = _summaries(pair_energy(directions.reverb), shared_energy(directions))
    left_out = _summaries(
        pair_energy(without_each(directions.reverb)).mT, _shared_without_each(directions)
    )
    chance = _chance(directions).prod(0) / count**0.5
    emp, pred, eta, gamma, difference = (
        _estimate(value.item(), without.cpu(), least, level)
        for value, without, least in zip(
            whole,
            left_out,
            (0.0, _median(chance).item(), chance.mean().item(), 0.0, 0.0),
            strict=True,
        )
    )
    return Plateaus(root_estimate(emp), root_estimate(pred), eta, gamma, difference)


def _estimate(value: float, left_out: Tensor, chance: float, level: float) -> Estimate:
    """Jackknife, with the overlap of random directions added to its error in quadrature."""
    estimate = jackknife(value, left_out, level=level)
    if estimate.error is None:
        return estimate
    error = math.hypot(estimate.error, chance)
    return symmetric(value, error, replicas=estimate.replicas, level=level)


def _chance(directions: Directions) -> Float[Tensor, "2 k"]:
    """Overlap p/m, p/n of every direction's subspace with a random one of its size."""
    m, n = directions.mean.left.shape[0], directions.mean.right.shape[0]
    left = directions.left
    sizes = torch.cat([left.new_full((b - a,), b - a) for a, b in directions.groups])
    return torch.stack([sizes / m, sizes / n])


def shared_energy(directions: Directions) -> Float[Tensor, " k"]:
    """s_i c_L,i² c_R,i² of every direction: 0 in the mean where E g = 0 and the noise symmetric.

    Example:
        >>> import torch
        >>> from spectrain.noise import directions
        >>> signs = torch.tensor([1.0, -1, 1, -1, 1, -1, 1]).reshape(-1, 1, 1)   # ± u vᵀ
        >>> energy = shared_energy(directions(signs * torch.eye(3)[0].outer(torch.ones(3)), k=1))
        >>> round(energy.item(), 4)  # (4 − 3)/7
        0.1429
    """
    return _agreed(directions) * _overlapping(directions, *directions.true_overlaps())


def _shared_without_each(directions: Directions) -> Float[Tensor, "replicas k"]:
    left, right = directions.overlaps_without_each()
    return _agreed_without_each(directions) * _overlapping(directions, left, right)


def _agreed(directions: Directions) -> Float[Tensor, " k"]:
    """s_i."""
    both = directions.left * directions.right
    return _share(directions.agreement.sign().mul(both).sum(0), both.sum(0))


def _agreed_without_each(directions: Directions) -> Float[Tensor, "replicas k"]:
    """s_i without each replica, its spread widened by √2 where each is compared with the others.

    A pair of replicas then enters the terms of both, as in a U-statistic of order two: terms taken
    as independent would show half its variance. Where all signs agree there is no spread to widen.
    """
    both = directions.left * directions.right
    signed = directions.agreement.sign() * both
    whole = _share(signed.sum(0), both.sum(0))
    rest = _share(signed.sum(0) - signed, both.sum(0) - both)
    return whole + (rest - whole) * (2**0.5 if directions.held_out else 1.0)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part / torch.where(whole > 0, whole, 1.0)


def _overlapping(directions: Directions, left: Tensor, right: Tensor) -> Float[Tensor, "*batch k"]:
    """c_L,i² c_R,i² beyond chance."""
    chance = _chance(directions)
    return _beyond_chance(left, chance[0]) * _beyond_chance(right, chance[1])


def _beyond_chance(
    overlap: Float[Tensor, "*batch k"], chance: Float[Tensor, " k"]
) -> Float[Tensor, "*batch k"]:
    """(c² − chance)/(1 − chance), at least 0; a subspace that is the whole space overlaps by 1."""
    room = torch.where(chance < 1, 1 - chance, 1.0)
    return torch.where(chance < 1, (overlap - chance) / room, overlap).clamp(min=0)


def _summaries(
    echo: Float[Tensor, "*batch k"], shared: Float[Tensor, "*batch k"]
) -> tuple[Tensor, ...]:
    emp, eta = _median(echo), 1 - shared.mean(-1)
    return emp, _median(shared), eta, 1 - emp, 1 - emp - eta


def _median(x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """The median, the mean of the middle two for an even number (torch takes the lower one)."""
    return x.quantile(0.5, dim=-1)
