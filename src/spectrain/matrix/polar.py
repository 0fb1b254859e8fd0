"""Polar factors: U Vᵀ of A = U Σ Vᵀ, exactly and by the iterations that optimizers use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix.inputs import dense
from spectrain.matrix.scale import largest_entry, unit_scale

Iteration = Literal["quintic", "cubic", "polar_express"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Muon's coefficients: σ ↦ aσ + bσ³ + cσ⁵ (Jordan et al. 2024). They do not converge to 1."""

CUBIC = (1.5, -0.5, 0.0)
"""The classical Newton-Schulz iteration σ ↦ (3σ − σ³)/2 (Björck & Bowie 1971)."""

POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""Optimal quintics for σ ∈ [10⁻³, 1], one a step (Amsel et al. 2025, arXiv:2505.16932)."""

POLAR_EXPRESS_MARGIN = 1.01
"""Safety factor on the norm and on σ of all but the last step, against round-off (ibid., §4)."""


@dataclass(frozen=True, slots=True)
class PolarFactor:
    """A polar factor and how far it is from an isometry.

    Attributes:
        factor: U Vᵀ or its approximation, shaped and typed as the matrix (float32 for float8).
        residual: ‖FᵀF − I‖_F/√r over the smaller side, in float64. For an exact polar factor of a
            rank-deficient matrix it is √((r − rank)/r).
        method: how it was computed.
    """

    factor: Float[Tensor, "*batch m n"]
    residual: Float[Tensor, "*batch"]
    method: str


def polar(matrix: Float[Tensor, "*batch m n"]) -> PolarFactor:
    """Exact polar factor from a float64 SVD; directions with σ ≤ r·u·σ₁ are left out.

    u is the unit round-off of the matrix's dtype, of float32 for half precision.

    Raises:
        InputError: the matrix holds NaN or Inf, or has fewer than two dimensions.

    Source:
        Davis & Drusvyatskiy, §1.2 (polar(UΣVᵀ) = UVᵀ).

    Example:
        >>> import torch
        >>> polar(torch.diag(torch.tensor([3.0, -0.1]))).factor
        tensor([[ 1.,  0.],
                [ 0., -1.]])
    """
    matrix = _checked(matrix)
    work = matrix.double()
    u, values, vh = torch.linalg.svd(work, full_matrices=False)
    unit = torch.finfo(torch.promote_types(matrix.dtype, torch.float32)).eps
    cutoff = min(matrix.shape[-2:]) * unit * values[..., :1]
    kept = (values > cutoff).to(work.dtype)
    factor = (u * kept.unsqueeze(-2)) @ vh
    return PolarFactor(factor.to(matrix.dtype), residual(factor), "svd/float64")


def newton_schulz(
    matrix: Float[Tensor, "*batch m n"],
    *,
    iteration: Iteration = "quintic",
    steps: int = 5,
    dtype: torch.dtype | None = None,
) -> PolarFactor:
    """Approximate polar factor by odd polynomials X ← aX + bX(XᵀX) + cX(XᵀX)².

    The matrix is first divided by its Frobenius norm (Polar Express: 1.01 times that), so that
    σ ≤ 1. A direction that is exactly zero stays zero, and one below about 10⁻³ of the norm does
    not reach 1 in five quintic steps.

    Args:
        matrix: m × n.
        iteration: ``quintic`` (Muon's), ``cubic`` (slow, converges) or ``polar_express``.
        steps: number of polynomials applied.
        dtype: precision of the products; that of ``matrix`` if none is given. Muon uses bfloat16.

    Raises:
        InputError: as :func:`polar`, or ``steps`` is below 1.

    Source:
        Jordan et al. 2024 (Muon); Amsel et al. 2025 (Polar Express).

    Example:
        >>> import torch
        >>> a = torch.diag(torch.tensor([1.0, 0.5]))
        >>> newton_schulz(a, iteration="cubic", steps=20).factor.diagonal()
        tensor([1., 1.])
    """
    work = matrix = _checked(matrix)
    precision = dtype or matrix.dtype
    factor = orthogonalized(work, iteration=iteration, steps=steps, dtype=precision)
    name = f"{iteration}×{steps}/{str(precision).removeprefix('torch.')}"
    return PolarFactor(factor.to(matrix.dtype), residual(factor), name)


def orthogonalized(
    matrix: Float[Tensor, "*batch m n"],
    *,
    iteration: Iteration = "quintic",
    steps: int = 5,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "*batch m n"]:
    """Only the factor of :func:`newton_schulz`, in ``dtype``, for optimizers: nothing is checked.

    Raises:
        InputError: ``steps`` is below 1.

    Example:
        >>> import torch
        >>> orthogonalized(torch.eye(2), iteration="cubic", steps=20)
        tensor([[1., 0.],
                [0., 1.]])
    """
    if steps < 1:
        raise InputError(f"{steps} Newton-Schulz steps", remedy="take at least one")
    precision = dtype or matrix.dtype
    if matrix.numel() == 0:
        return matrix.to(precision)
    unit, _ = unit_scale(matrix, largest_entry(matrix), precision)
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = (unit.mT if tall else unit).reshape(-1, *sorted(matrix.shape[-2:]))
    norm = torch.linalg.matrix_norm(x.float() if x.dtype.itemsize < 4 else x, keepdim=True)
    margin = POLAR_EXPRESS_MARGIN if iteration == "polar_express" else 1.0
    x = x / torch.where(norm == 0, 1.0, norm * margin).to(x.dtype)
    for a, b, c in _coefficients(iteration, steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).reshape(matrix.shape)


def residual(factor: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Distance of a matrix from an isometry: ‖FᵀF − I‖_F/√r, r the smaller side.

    Example:
        >>> import torch
        >>> round(residual(2 * torch.eye(3)).item(), 6)
        3.0
    """
    x = factor.double()
    gram = x @ x.mT if x.shape[-2] <= x.shape[-1] else x.mT @ x
    size = gram.shape[-1]
    identity = torch.eye(size, dtype=gram.dtype, device=gram.device)
    return torch.linalg.matrix_norm(gram - identity) / max(size, 1) ** 0.5


def _coefficients(iteration: Iteration, steps: int) -> Sequence[tuple[float, float, float]]:
    if iteration != "polar_express":
        return [QUINTIC if iteration == "quintic" else CUBIC] * steps
    last = len(POLAR_EXPRESS) - 1
    schedule = [POLAR_EXPRESS[min(step, last)] for step in range(steps)]
    margin = POLAR_EXPRESS_MARGIN
    damped = [(a / margin, b / margin**3, c / margin**5) for a, b, c in schedule[:-1]]
    return [*damped, schedule[-1]]


def _checked(given: object) -> Tensor:
    matrix = dense(given, what="a polar factor")
    if not matrix.isfinite().all():
        raise InputError("the matrix holds NaN or Inf", remedy="skip the step or lower the rate")
    return matrix
