"""Echo plateaus: how far below 1 the leading directions saturate, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spectrain.noise.directions import Directions
from spectrain.noise.echo import pooled_echo, without_each
from spectrain.noise.estimate import LEVEL, Estimate, jackknife


@dataclass(frozen=True, slots=True)
class Plateaus:
    """The four summaries over the k leading directions.

    Attributes:
        zeta_emp: empirical plateau, median over i ≤ k of the pooled echo ζ_i.
        zeta_pred: predicted plateau, median of √(c_L,i² c_R,i²).
        eta_mult: noise strength, 1 − mean of c_L,i² c_R,i².
        gamma_echo: echo gap, 1 − ζ_emp².
        gamma_minus_eta: γ_echo − η_mult; 0 if echo and overlaps tell the same.
    """

    zeta_emp: Estimate
    zeta_pred: Estimate
    eta_mult: Estimate
    gamma_echo: Estimate
    gamma_minus_eta: Estimate


def plateaus(directions: Directions, *, level: float = LEVEL) -> Plateaus:
    """Plateaus with delete-one jackknife intervals; needs four replicas.

    Source:
        “Multiplicative noise model for minibatch gradients”, “Connection to spectral echo”.

    Example:
        >>> import torch
        >>> from spectrain.noise import directions
        >>> noise = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(0))
        >>> signal = torch.zeros(20, 30).index_put((torch.arange(2),) * 2, torch.tensor([90., 60.]))
        >>> found = plateaus(directions(signal + noise, k=2))
        >>> 0.9 < found.zeta_emp.value < 1, found.gamma_echo.covers(found.eta_mult.value)
        (True, True)
    """
    count = directions.count
    if count < 4:
        few = Estimate.missing("fewer than 4 replicas", replicas=count, level=level)
        return Plateaus(few, few, few, few, few)
    whole = _summaries(
        pooled_echo(directions.reverb),
        *directions.true_overlaps(),
    )
    left_out = _summaries(
        pooled_echo(without_each(directions.reverb)).mT,
        *directions.overlaps_without_each(),
    )
    estimates = [
        jackknife(value.item(), rest.cpu(), level=level)
        for value, rest in zip(whole, left_out, strict=True)
    ]
    return Plateaus(*estimates)


def _summaries(
    zeta: Float[Tensor, "*batch k"],
    left: Float[Tensor, "*batch k"],
    right: Float[Tensor, "*batch k"],
) -> tuple[Tensor, ...]:
    both = left * right
    emp = _median(zeta)
    eta, gamma = 1 - both.mean(-1), 1 - emp.square()
    return emp, _median(both.clamp(min=0).sqrt()), eta, gamma, gamma - eta


def _median(x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
    """The median, the mean of the middle two for an even number (torch takes the lower one)."""
    return x.quantile(0.5, dim=-1)
