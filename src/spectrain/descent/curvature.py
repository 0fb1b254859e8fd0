"""Curvature constants of a layered network from bounds on its maps."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from spectrain.core.errors import InputError


@dataclass(frozen=True, slots=True)
class LayerBounds:
    """Bounds on a network X_ℓ = W_ℓA_{ℓ−1}, A_ℓ = Φ_ℓ(X_1, …, X_ℓ) with loss f(X_1, …, X_L).

    Attributes:
        depth: L, the number of blocks.
        map_slope: J_Φ, bound on ‖DΦ‖; sup|σ'| for an MLP.
        map_curvature: H_Φ, bound on ‖D²Φ‖; sup|σ''| for an MLP.
        loss_slope: J_f = ‖∇f‖_F; ‖X_L − Y‖_F/n for the squared loss.
        loss_curvature: H_f; 1/n for the squared loss.
        weight_norm: W_*, the largest ‖W_ℓ‖_op.

    Raises:
        InputError: a bound is negative or ``depth`` is below 1.

    Source:
        Davis & Drusvyatskiy, §4.1 and Proposition 4.3.
    """

    depth: int
    map_slope: float
    map_curvature: float
    loss_slope: float
    loss_curvature: float
    weight_norm: float

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InputError(f"depth is {self.depth}", remedy="pass at least one block")
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}", remedy="pass a bound ≥ 0")


def hessian_constants(bounds: LayerBounds) -> tuple[float, float]:
    """(C_F, C_op) of |⟨ΔW, ∇²L ΔW⟩| ≤ C_F Σ‖ΔW_ℓA_{ℓ−1}‖_F² + C_op Σ‖ΔW_ℓ‖_op².

    With Γ = √2(1 + 2J_Φ²W_*²)^{L/2} and Θ = (1 + J_ΦW_*)^{L−1}:
    C_F = Γ²H_f + J_fΘW_*H_ΦΓ²L + J_f²ΘΓ²L and C_op = ΘJ_Φ².

    For averaged losses the middle term falls as J_f = O(n^{−1/2}) only, so C_F = O(1/n), as the
    paper says, does not follow from its own formula.

    Source:
        Davis & Drusvyatskiy, eq. (4.5).

    Example:
        >>> linear = LayerBounds(1, 1.0, 0.0, 0.0, 0.5, 0.0)
        >>> [round(constant, 12) for constant in hessian_constants(linear)]  # Γ² = 2, Θ = 1
        [1.0, 1.0]
    """
    growth = sqrt(2) * (1 + 2 * bounds.map_slope**2 * bounds.weight_norm**2) ** (bounds.depth / 2)
    theta = (1 + bounds.map_slope * bounds.weight_norm) ** (bounds.depth - 1)
    through_map = bounds.loss_slope * theta * bounds.weight_norm * bounds.map_curvature
    feature = growth**2 * (
        bounds.loss_curvature
        + through_map * bounds.depth
        + bounds.loss_slope**2 * theta * bounds.depth
    )
    return feature, theta * bounds.map_slope**2
