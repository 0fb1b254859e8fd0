"""Transformations of the singular values that leave the singular vectors where they are."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError
from spectrain.matrix import newton_schulz, polar
from spectrain.optim.interventions.transformation import Memory, Property, Transformation

Values = Float[Tensor, "*batch r"]
Matrix = Float[Tensor, "*batch m n"]

_D, _S, _H, _R, _F, _N = (
    Property.DIRECTIONS,
    Property.SPECTRUM,
    Property.SHARES,
    Property.RANK,
    Property.FROBENIUS,
    Property.NUCLEAR,
)


class _OfValues(Transformation):
    """U f(σ) Vᵀ; directions with σ ≤ r·u·σ₁, u the dtype's round-off, count as absent."""

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """U f(σ) Vᵀ from a float64 SVD."""
        u, values, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
        unit = torch.finfo(torch.promote_types(matrix.dtype, torch.float32)).eps
        kept = values > values.shape[-1] * unit * values[..., :1]
        values = torch.where(kept, values, 0.0)
        wanted = torch.where(kept, self._values(values, memory), 0.0)
        return ((u * wanted.unsqueeze(-2)) @ vh).to(matrix.dtype)

    def _values(self, values: Values, memory: Memory) -> Values:
        raise NotImplementedError


class KeepTop(_OfValues):
    """Keep the k largest singular values, set the others to 0.

    Args:
        k: how many.

    Raises:
        InputError: k is below 1.

    Source:
        “Information Flow & Gradient Quality Hypothesis”, Experiment 3 (``low_rank``, k = 10).

    Example:
        >>> KeepTop(1)(torch.diag(torch.tensor([3.0, 2.0]))).diagonal()
        tensor([3., 0.])
    """

    conserves = frozenset({_D})
    changes = frozenset({_S, _H, _R, _F, _N})

    def __init__(self, k: int = 10) -> None:
        if k < 1:
            raise InputError(f"k is {k}", remedy="keep at least one singular value")
        self.k = k

    def _values(self, values: Values, memory: Memory) -> Values:
        return torch.where(torch.arange(values.shape[-1], device=values.device) < self.k, values, 0)


class Equalize(_OfValues):
    """Make all non-zero singular values equal, at the same Frobenius or nuclear norm.

    At equal nuclear norm every σ becomes the mean of σ, which lowers the energy Σσ²; at equal
    Frobenius norm it becomes √(mean σ²).

    Args:
        norm: what is conserved.

    Raises:
        InputError: the norm is neither.

    Source:
        “Information Flow & Gradient Quality Hypothesis”, Experiment 3 (``equalized``, which
        conserves the nuclear norm though its comment says the energy).

    Example:
        >>> a = torch.diag(torch.tensor([3.0, 1.0]))
        >>> Equalize("nuclear")(a).diagonal(), Equalize("frobenius")(a).diagonal()
        (tensor([2., 2.]), tensor([2.2361, 2.2361]))
    """

    def __init__(self, norm: Literal["frobenius", "nuclear"] = "frobenius") -> None:
        if norm not in ("frobenius", "nuclear"):
            raise InputError(f"norm is {norm!r}", remedy="choose frobenius or nuclear")
        self.norm = norm
        kept, lost = (_F, _N) if norm == "frobenius" else (_N, _F)
        self.conserves = frozenset({_D, _R, kept})
        self.changes = frozenset({_S, _H, lost})

    def _values(self, values: Values, memory: Memory) -> Values:
        count = (values > 0).sum(-1, keepdim=True).clamp_min(1)
        if self.norm == "nuclear":
            return (values.sum(-1, keepdim=True) / count).expand_as(values)
        return (values.square().sum(-1, keepdim=True) / count).sqrt().expand_as(values)


class Flatten(_OfValues):
    """σ ↦ c·σᵖ with c such that the Frobenius norm stays: p = 1 is the identity, p = 0 equalizes.

    Args:
        power: p, between 0 and 1.

    Raises:
        InputError: the power is outside that range.

    Example:
        >>> a = torch.diag(torch.tensor([4.0, 1.0]))
        >>> flat = Flatten(0.5)(a).diagonal()
        >>> round((flat[0] / flat[1]).item(), 5), round((flat.norm() / a.norm()).item(), 5)
        (2.0, 1.0)
    """

    conserves = frozenset({_D, _R, _F})
    changes = frozenset({_S, _H, _N})

    def __init__(self, power: float) -> None:
        if not 0 <= power <= 1:
            raise InputError(f"power is {power}", remedy="choose a number between 0 and 1")
        self.power = power

    def _values(self, values: Values, memory: Memory) -> Values:
        powered = torch.where(values > 0, values**self.power, 0.0)
        return _rescaled(powered, values)


class SwapSpectrum(_OfValues):
    """Keep directions and Frobenius norm, take the spectrum's shape from ``lag`` calls before.

    The first ``lag`` matrices pass unchanged. Ranks of the two steps may differ: a direction that
    is absent now stays absent.

    Args:
        lag: how many calls ago.

    Raises:
        InputError: the lag is below 1.

    Example:
        >>> swap, memory = SwapSpectrum(), {}
        >>> _ = swap.apply(torch.diag(torch.tensor([4.0, 3.0])), memory)
        >>> swap.apply(torch.diag(torch.tensor([4.9, 1.0])), memory).diagonal()
        tensor([4.0008, 3.0006])
    """

    conserves = frozenset({_D, _F})
    changes = frozenset({_S, _H, _N})

    def __init__(self, lag: int = 1) -> None:
        if lag < 1:
            raise InputError(f"lag is {lag}", remedy="take the spectrum of an earlier step")
        self.lag = lag

    def _values(self, values: Values, memory: Memory) -> Values:
        past: list[Tensor] = memory.setdefault("spectra", [])
        past.append(values)
        if len(past) <= self.lag:
            return values
        return _rescaled(torch.where(values > 0, past.pop(0), 0.0), values)


class Orthonormalize(Transformation):
    """Set all singular values to 1: exactly, or nearly by an iteration as optimizers do.

    A direction that is absent stays absent: no iteration raises the rank of a matrix.

    Args:
        method: ``exact``, or the iteration: ``quintic`` (Muon's Newton-Schulz), ``cubic``,
            ``polar_express``.
        steps: of the iteration.
        dtype: of the iteration's products; that of the matrix if none is given.

    Raises:
        InputError: the method is unknown, or ``steps`` is below 1.

    Source:
        Jordan et al. 2024 (Muon); Amsel et al. 2025 (Polar Express).

    Example:
        >>> Orthonormalize("exact")(torch.diag(torch.tensor([3.0, 2.0]))).diagonal()
        tensor([1., 1.])
    """

    conserves = frozenset({_D, _R})
    changes = frozenset({_S, _H, _F, _N})

    def __init__(
        self,
        method: Literal["exact", "quintic", "cubic", "polar_express"] = "quintic",
        *,
        steps: int = 5,
        dtype: torch.dtype | None = None,
    ) -> None:
        if method not in ("exact", "quintic", "cubic", "polar_express"):
            raise InputError(
                f"method is {method!r}", remedy="choose exact, quintic, cubic or polar_express"
            )
        if steps < 1:
            raise InputError(f"{steps} Newton-Schulz steps", remedy="take at least one")
        self.method, self.steps, self.dtype = method, steps, dtype

    def apply(self, matrix: Matrix, memory: Memory) -> Matrix:
        """The polar factor, or its approximation."""
        if self.method == "exact":
            return polar(matrix).factor
        approximation = newton_schulz(
            matrix, iteration=self.method, steps=self.steps, dtype=self.dtype
        )
        return approximation.factor


def _rescaled(values: Values, norm_of: Values) -> Values:
    """The values with the Frobenius norm of others."""
    wanted = torch.linalg.vector_norm(norm_of, dim=-1, keepdim=True)
    norm = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    return values * (wanted / torch.where(norm == 0, 1.0, norm))
