"""First-order perturbation theory of singular directions, and what noise makes of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.models import Symmetry


def mixing(
    delta: Float[Tensor, "*batch m n"], values: Float[Tensor, " d"]
) -> tuple[Float[Tensor, "*batch m d"], Float[Tensor, "*batch n d"]]:
    """Coefficients of u_i^r = u_i + Σ_j α_ji u_j and v_i^r = v_i + Σ_j β_ji v_j to first order.

    α_ji = (σ_iΔ_ji + σ_jΔ_ij)/(σ_i² − σ_j²) and β_ji = (σ_iΔ_ij + σ_jΔ_ji)/(σ_i² − σ_j²) for
    j ≤ d, and α_ji = Δ_ji/σ_i, β_ji = Δ_ij/σ_i for the directions j > d where G is 0.

    Args:
        delta: Δ = UᵀEV in the full basis of G, of which the first d directions are its own.
        values: the d nonzero, distinct singular values of G.

    Raises:
        InputError: a singular value is 0 or repeated.

    Source:
        Stewart & Sun 1990, §V.4; the null space is missing in “Multiplicative noise model …”.

    Example:
        >>> import torch
        >>> alpha, beta = mixing(torch.tensor([[0.0], [0.3]]), torch.tensor([3.0]))
        >>> alpha.flatten()
        tensor([0.0000, 0.1000])
    """
    upper, lower = delta[..., : values.numel(), :], delta[..., :, : values.numel()]
    return _coefficients(lower, upper.mT, values), _coefficients(upper.mT, lower, values)


def first_order_overlaps(
    values: Float[Tensor, " d"],
    variance: Float[Tensor, "m n"],
    covariance: Float[Tensor, "d d"] | None = None,
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Squared overlaps (c_L², c_R²) of a replica's directions with those of G, to first order.

    c_L,i² = 1 − Σ_{j≠i} (σ_i²V_ji + σ_j²V_ij + 2σ_iσ_jC_ij)/(σ_i² − σ_j²)² − Σ_{j>d} V_ji/σ_i²,
    and c_R² with V transposed.

    Args:
        values: the d nonzero, distinct singular values of G.
        variance: V_ij = Var Δ_ij in the full basis of G.
        covariance: C_ij = cov(Δ_ij, Δ_ji) for i, j ≤ d; 0 if not given.

    Raises:
        InputError: a singular value is 0 or repeated.

    Source:
        Second moments of :func:`mixing`.

    Example:
        >>> import torch
        >>> left, right = first_order_overlaps(torch.tensor([2.0]), torch.full((3, 5), 0.04))
        >>> left, right
        (tensor([0.9800]), tensor([0.9600]))
    """
    d = values.numel()
    both = torch.zeros(d, d).to(values) if covariance is None else covariance
    return (
        1 - _rotation(values, variance[:, :d], variance[:d].mT, both),
        1 - _rotation(values, variance[:d].mT, variance[:, :d], both),
    )


def additive_overlaps(
    values: Float[Tensor, " d"], shape: tuple[int, int], variance: float
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """First-order overlaps under iid additive noise of variance s² an entry.

    c_L,i² = 1 − Σ_{j≠i} s²(σ_i² + σ_j²)/(σ_i² − σ_j²)² − (m − d)s²/σ_i².

    Example:
        >>> import torch
        >>> additive_overlaps(torch.tensor([2.0]), (3, 5), 0.04)
        (tensor([0.9800]), tensor([0.9600]))
    """
    return first_order_overlaps(values, torch.full(shape, variance).to(values))


def multiplicative_overlaps(
    values: Float[Tensor, " d"],
    shape: tuple[int, int],
    *,
    left: float = 0.0,
    right: float = 0.0,
    symmetry: Symmetry = "none",
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """First-order overlaps under (I + aX)G(I + bY), or under aXG + bGY added to G.

    V_ij = a²σ_j² + b²σ_i²; C_ij = ±(a² + b²)σ_iσ_j for symmetric and antisymmetric X, Y. In the
    antisymmetric case c_L² = 1 − (m − 1)a² and c_R² = 1 − (n − 1)b² for every direction,
    whatever its gap.

    Args:
        values: the d nonzero, distinct singular values of G.
        shape: (m, n).
        left: a, standard deviation of the entries of aX.
        right: b, of bY.
        symmetry: of X and Y.

    Example:
        >>> import torch
        >>> values = torch.tensor([2.0, 1.9])
        >>> multiplicative_overlaps(values, (3, 5), left=0.1, symmetry="antisymmetric")
        (tensor([0.9800, 0.9800]), tensor([1.0000, 1.0000]))
    """
    m, n = shape
    rows, columns = torch.zeros(m).to(values), torch.zeros(n).to(values)
    rows[: values.numel()], columns[: values.numel()] = values, values
    variance = left**2 * columns.square() + right**2 * rows.square().unsqueeze(1)
    sign = {"none": 0.0, "symmetric": 1.0, "antisymmetric": -1.0}[symmetry]
    covariance = sign * (left**2 + right**2) * values.outer(values)
    return first_order_overlaps(values, variance, covariance)


def structured_variance(
    left: Float[Tensor, "m m"],
    right: Float[Tensor, "n n"],
    row_std: Float[Tensor, " m"],
    column_std: Float[Tensor, " n"],
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "d d"]]:
    """Var Δ_ij and cov(Δ_ij, Δ_ji) of diag(r) Z diag(c) in the bases U (left) and V (right).

    V_ij = (Uᵀdiag(r²)U)_ii (Vᵀdiag(c²)V)_jj, C_ij = (Uᵀdiag(r²)U)_ij (Vᵀdiag(c²)V)_ij.

    Example:
        >>> import torch
        >>> eye, std = torch.eye(2), torch.tensor([1.0, 2.0])
        >>> structured_variance(eye, eye, std, torch.ones(2))[0]
        tensor([[1., 1.],
                [4., 4.]])
    """
    rows = left.mT @ (row_std.square().unsqueeze(1) * left)
    columns = right.mT @ (column_std.square().unsqueeze(1) * right)
    d = min(rows.shape[0], columns.shape[0])
    return rows.diagonal().outer(columns.diagonal()), rows[:d, :d] * columns[:d, :d]


def saturated(deviation: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Squared overlap 1/(1 + q) of a vector turned by squared coefficients of sum q.

    The first-order 1 − q goes below 0; normalising u_i + Σα_ji u_j does not.

    Example:
        >>> import torch
        >>> saturated(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5000])
    """
    return 1 / (1 + deviation)


def _rotation(values: Tensor, own: Tensor, other: Tensor, both: Tensor) -> Tensor:
    """Σ_j E|coefficient_ji|²: own_ji = Var Δ_ji (rows × d), other_ji = Var Δ_ij (≥ d rows × d)."""
    d = values.numel()
    s2 = values.square()
    gaps = _gaps(values)
    pairs = s2 * own[:d] + s2.unsqueeze(1) * other[:d] + 2 * both * values.outer(values)
    inside = (pairs / gaps.square()).fill_diagonal_(0.0).sum(0)
    return inside + own[d:].sum(0) / s2


def _coefficients(own: Tensor, other: Tensor, values: Tensor) -> Tensor:
    """(σ_i own_ji + σ_j other_ji)/(σ_i² − σ_j²) for j ≤ d, own_ji/σ_i below, 0 for j = i."""
    d = values.numel()
    pairs = (values * own[..., :d, :] + values.unsqueeze(1) * other[..., :d, :]) / _gaps(values)
    inside = pairs * (1 - torch.eye(d).to(values))
    return torch.cat([inside, own[..., d:, :] / values], -2)


def _gaps(values: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """σ_i² − σ_j² with i along columns, and 1 on the diagonal, which nothing divides by."""
    s2 = values.square()
    gaps = s2 - s2.unsqueeze(1) + torch.eye(values.numel()).to(values)
    if bool((gaps == 0).any()) or bool((values == 0).any()):
        raise InputError(
            "a singular value is 0 or repeated", remedy="pass the nonzero, distinct ones"
        )
    return gaps
