"""Activations of a Gaussian variable: their first two moments, and the table of Figure 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float64]

POSITIVE, NEGATIVE = 1.0, 0.1
"""Slopes q and p of the leaky ReLU."""


@dataclass(frozen=True, slots=True)
class Activation:
    """σ with the moments of σ(g), g ~ N(0, v), and the constants α f ≤ (Eσ)², Eσ² ≤ β f.

    Attributes:
        name: short name.
        apply: σ, elementwise.
        mean: E σ(g) as a function of v.
        second_moment: E σ(g)².
        power: p of f = v^p.
        alpha: α, as a function of the smallest v among the rows.
        beta: β.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    mean: Callable[[Array], Array]
    second_moment: Callable[[Array], Array]
    power: int
    alpha: Callable[[float], float]
    beta: float

    def noise_to_signal(self, variances: Array) -> float:
        """NSR = E‖z‖²/‖E z‖² of z = σ(Wx) with v_i = w_iᵀΣw_i.

        Example:
            >>> round(ACTIVATIONS["relu"].noise_to_signal(np.array([1.0, 9.0])), 4)
            3.1416
        """
        return float(self.second_moment(variances).sum() / np.square(self.mean(variances)).sum())

    def bound(self, smallest: float) -> float:
        """β/α, the bound of Lemma 2.4 on the NSR.

        Example:
            >>> ACTIVATIONS["relu2"].bound(1.0)
            6.0
        """
        return self.beta / self.alpha(smallest)


def gelu_second_moment(variance: Array) -> Array:
    """E[g²Φ(g)²] = v/4 + (v/2π)·(asin(v/(1+v)) + 2v/((1+v)√(1+2v))) for g ~ N(0, v).

    Source:
        Stein's identity, twice, on E[Φ(g)²].

    Example:
        >>> round(gelu_second_moment(np.array([1.0])).item(), 6)
        0.425221
    """
    v = variance
    tail = np.arcsin(v / (1 + v)) + 2 * v / ((1 + v) * np.sqrt(1 + 2 * v))
    return v / 4 + v / (2 * pi) * tail


def _leaky(t: Tensor) -> Tensor:
    return functional.leaky_relu(t, NEGATIVE / POSITIVE) * POSITIVE


ACTIVATIONS: Mapping[str, Activation] = {
    each.name: each
    for each in (
        Activation(
            "abs",
            torch.abs,
            lambda v: np.sqrt(2 * v / pi),
            lambda v: 1.0 * v,
            1,
            lambda smallest: 2 / pi,
            1.0,
        ),
        Activation(
            "relu",
            torch.relu,
            lambda v: np.sqrt(v / (2 * pi)),
            lambda v: v / 2,
            1,
            lambda smallest: 1 / (2 * pi),
            0.5,
        ),
        Activation(
            "leaky",
            _leaky,
            lambda v: (POSITIVE - NEGATIVE) * np.sqrt(v / (2 * pi)),
            lambda v: (POSITIVE**2 + NEGATIVE**2) * v / 2,
            1,
            lambda smallest: (POSITIVE - NEGATIVE) ** 2 / (2 * pi),
            (POSITIVE**2 + NEGATIVE**2) / 2,
        ),
        Activation(
            "relu2",
            lambda t: torch.relu(t).square(),
            lambda v: v / 2,
            lambda v: 1.5 * v**2,
            2,
            lambda smallest: 0.25,
            1.5,
        ),
        Activation(
            "gelu",
            functional.gelu,
            lambda v: v / np.sqrt(2 * pi * (1 + v)),
            gelu_second_moment,
            1,
            lambda smallest: smallest / (2 * pi * (1 + smallest)),
            1.0,
        ),
    )
}

SIGNS = {"abs": "|t|", "relu": "ReLU", "leaky": "leaky ReLU", "relu2": "ReLU²", "gelu": "GELU"}
"""How figures call them."""


def printed_gelu_alpha(smallest: float) -> float:
    """α of GELU as printed: s²/(2π(1 + s²)) with s the smallest v itself, not its root.

    Example:
        >>> printed_gelu_alpha(4.0) > ACTIVATIONS["gelu"].alpha(4.0)
        True
    """
    return smallest**2 / (2 * pi * (1 + smallest**2))


def relu_second_moment(weights: Float[Tensor, "m d"]) -> Float[Tensor, "m m"]:
    """M = E[zzᵀ] of z = ReLU(Wx), x ~ N(0, I): ‖w_i‖‖w_j‖(√(1 − ρ²) + (π − arccos ρ)ρ)/2π.

    Source:
        Cho & Saul 2009, the arc-cosine kernel of degree 1.

    Example:
        >>> relu_second_moment(torch.eye(2))[0] * 2 * pi  # ½ and (1/√2π)² times 2π
        tensor([3.1416, 1.0000])
    """
    norms = weights.norm(dim=1)
    rho = (weights @ weights.mT / torch.outer(norms, norms)).clamp(-1, 1)
    rho.fill_diagonal_(1.0)
    kernel = (1 - rho.square()).sqrt() + (pi - rho.arccos()) * rho
    return torch.outer(norms, norms) * kernel / (2 * pi)
