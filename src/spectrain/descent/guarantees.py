"""What one step is guaranteed to gain, and which of two steps is guaranteed more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix import Spectrum, frobenius_norm, nuclear_norm, nuclear_rank, stable_rank

CLEAR = 2.0
"""From nr/st = CLEAR on, and down to 1/CLEAR, the two-sided bounds of least squares decide."""


class Favoured(StrEnum):
    """Which step is surely better by the two-sided interval; a heuristic beyond least squares."""

    SPECTRAL = "spectral"
    EUCLIDEAN = "euclidean"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Curvature:
    """Curvature of the loss along a block: C_F‖UA‖_F² + C_op‖U‖_op² bounds its second order.

    Attributes:
        euclidean: L_F = C_F‖A‖_op², times the norms of the fixed maps around the block.
        spectral: L_op = C_F‖A‖_F², likewise.
        parameter: C_op, the part that does not go through the features; 0 for least squares.

    Source:
        Davis & Drusvyatskiy, eqs. (1.4), (4.4), (4.8).
    """

    euclidean: Float[Tensor, "*batch"]
    spectral: Float[Tensor, "*batch"]
    parameter: Float[Tensor, "*batch"]

    def __post_init__(self) -> None:
        if bool((self.spectral < self.euclidean * (1 - 1e-6)).any()):
            raise InputError(
                "the spectral curvature is below the Euclidean one",
                remedy="‖A‖_F is never below ‖A‖_op: check which is which",
            )


@dataclass(frozen=True, slots=True)
class Steps:
    """Lengths of the two natural steps and the decrease that each is guaranteed.

    Attributes:
        euclidean_rate: 1/a_GD of W − G/a_GD.
        spectral_length: ‖G‖_*/a_Spec of W − (‖G‖_*/a_Spec)·polar(G).
        euclidean_decrease: guaranteed decrease of the quadratic model along the first.
        spectral_decrease: likewise along the second.
    """

    euclidean_rate: Float[Tensor, "*batch"]
    spectral_length: Float[Tensor, "*batch"]
    euclidean_decrease: Float[Tensor, "*batch"]
    spectral_decrease: Float[Tensor, "*batch"]

    @property
    def ratio(self) -> Float[Tensor, "*batch"]:
        """Guaranteed decrease of the spectral step over that of the Euclidean one."""
        return self.spectral_decrease / self.euclidean_decrease


def natural_steps(gradient: Spectrum, curvature: Curvature) -> Steps:
    """The two steps that minimise the quadratic bound along G and along polar(G).

    a_GD = L_F + C_op/st(G) and a_Spec = L_op + C_op; the guaranteed decreases are ‖G‖_F²/2a_GD and
    ‖G‖_*²/2a_Spec. A norm gain is the diagonal block diag(γ): pass its
    :func:`~spectrain.matrix.diagonal_spectrum`, and its spectral step is a sign step.

    Source:
        Davis & Drusvyatskiy, §4.4 (4.13)–(4.15) and §4.5; (1.4)–(1.5) for C_op = 0.

    Example:
        >>> import torch
        >>> from spectrain.matrix import diagonal_spectrum
        >>> one = torch.tensor(1.0, dtype=torch.float64)
        >>> flat = diagonal_spectrum(torch.ones(4))  # nr(G) = 4
        >>> steps = natural_steps(flat, Curvature(one, 2 * one, 0 * one))  # st(A) = 2
        >>> steps.ratio.item()
        2.0
    """
    euclidean_cost = curvature.euclidean + curvature.parameter / stable_rank(gradient)
    spectral_cost = curvature.spectral + curvature.parameter
    nuclear = nuclear_norm(gradient)
    return Steps(
        euclidean_rate=1 / euclidean_cost,
        spectral_length=nuclear / spectral_cost,
        euclidean_decrease=frobenius_norm(gradient).square() / (2 * euclidean_cost),
        spectral_decrease=nuclear.square() / (2 * spectral_cost),
    )


def margin(
    gradient: Spectrum, activation_stable_rank: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """nr(G)/st(A): the ratio of the guarantees where the curvature lies in the features alone.

    Source:
        Davis & Drusvyatskiy, eqs. (1.5), (1.8) and (4.18).

    Example:
        >>> import torch
        >>> from spectrain.matrix import diagonal_spectrum
        >>> margin(diagonal_spectrum(torch.ones(6)), torch.tensor(3.0)).round(decimals=6).item()
        2.0
    """
    return nuclear_rank(gradient) / activation_stable_rank


def threshold(
    activation_stable_rank: Float[Tensor, "*batch"],
    gradient_stable_rank: Float[Tensor, "*batch"],
    alpha: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """The nuclear rank from which the spectral guarantee is larger: (s + α)/(1 + α/st(G)).

    α = C_op/L_F. Without a parameter term it is s = st(A); the sufficient condition nr(G) ≥ s of
    (4.18) follows since st(G) ≤ nr(G).

    Source:
        Davis & Drusvyatskiy, eq. (4.16).

    Example:
        >>> import torch
        >>> threshold(torch.tensor(3.0), torch.tensor(1.0), torch.tensor(1.0)).item()
        2.0
    """
    return (activation_stable_rank + alpha) / (1 + alpha / gradient_stable_rank)


def decrease_interval(
    ratio: Float[Tensor, "*batch"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Interval [½ρ, 2ρ] of Δ_spectral/Δ_euclidean for ρ = nr(G)/st(A).

    A theorem for least squares with the exact polar factor and the natural steps: each decrease
    lies between its guarantee and twice that. Elsewhere a heuristic.

    Source:
        Davis & Drusvyatskiy, §1.2 after (1.5), and the same argument for the spectral step.

    Example:
        >>> import torch
        >>> [end.item() for end in decrease_interval(torch.tensor(3.0))]
        [1.5, 6.0]
    """
    return ratio / 2, ratio * 2


def favoured(low: float, high: float) -> Favoured:
    """What an interval of ρ = nr(G)/st(A) says of the two steps.

    Example:
        >>> str(favoured(2.0, 3.0)), str(favoured(0.2, 0.5)), str(favoured(1.9, 8.0))
        ('spectral', 'euclidean', 'open')
    """
    if low >= CLEAR:
        return Favoured.SPECTRAL
    return Favoured.EUCLIDEAN if high <= 1 / CLEAR else Favoured.OPEN
