"""The spectral measures: every one a function of the singular values σ₁ ≥ … ≥ σ_r alone.

Throughout p = σ/Σσ. A zero matrix has norms, ranks and entropy 0: the limit of no direction at all.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.measure import Registry
from spectrain.matrix.spectrum import Spectrum

MEASURES = Registry()
"""All spectral measures by name."""

UNRESOLVED = "unresolved: the smallest singular value is below a hundred times its error"
"""Why a condition number has no value."""

Values = Float[Tensor, "*batch"]


@MEASURES.register(unit="unit of A", formula="‖A‖_F = √Σσᵢ²", citation="Golub & Van Loan §2.3")
def frobenius_norm(spectrum: Spectrum) -> Values:
    """Frobenius norm √Σσᵢ².

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> frobenius_norm(diagonal_spectrum(torch.tensor([3.0, 4.0]))).item()
        5.0
    """
    largest = operator_norm(spectrum)  # divided out, so that squares stay in range
    return largest * torch.linalg.vector_norm(
        _ratio(spectrum.values, largest.unsqueeze(-1)), dim=-1
    )


@MEASURES.register(unit="unit of A", formula="‖A‖_op = σ₁", citation="Golub & Van Loan §2.3")
def operator_norm(spectrum: Spectrum) -> Values:
    """Operator (spectral) norm, the largest singular value.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> operator_norm(diagonal_spectrum(torch.tensor([3.0, 4.0]))).item()
        4.0
    """
    return _first(spectrum.values)


@MEASURES.register(unit="unit of A", formula="‖A‖_* = Σσᵢ", citation="Golub & Van Loan §2.3")
def nuclear_norm(spectrum: Spectrum) -> Values:
    """Nuclear norm, the sum of the singular values.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> nuclear_norm(diagonal_spectrum(torch.tensor([3.0, 4.0]))).item()
        7.0
    """
    return spectrum.values.sum(-1)


@MEASURES.register(
    unit="1", formula="nr(A) = ‖A‖_*²/‖A‖_F²", citation="Davis & Drusvyatskiy, eq. (1.1)"
)
def nuclear_rank(spectrum: Spectrum) -> Values:
    """Nuclear rank ‖A‖_*²/‖A‖_F², between 1 (one direction) and r (all equal).

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> round(nuclear_rank(diagonal_spectrum(torch.tensor([2.0, 2.0, 2.0]))).item(), 6)
        3.0
    """
    return _ratio(nuclear_norm(spectrum), frobenius_norm(spectrum)).square()


@MEASURES.register(
    unit="1", formula="st(A) = ‖A‖_F²/‖A‖_op²", citation="Davis & Drusvyatskiy, eq. (1.1)"
)
def stable_rank(spectrum: Spectrum) -> Values:
    """Stable rank ‖A‖_F²/‖A‖_op², between 1 and r; never above the nuclear rank.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> stable_rank(diagonal_spectrum(torch.tensor([3.0, 4.0]))).item()
        1.5625
    """
    return _ratio(frobenius_norm(spectrum), operator_norm(spectrum)).square()


@MEASURES.register(unit="nat", formula="H(σ) = −Σ pᵢ ln pᵢ", citation="Roy & Vetterli 2007, §2")
def spectral_entropy(spectrum: Spectrum) -> Values:
    """Shannon entropy of the singular values as a distribution.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> round(spectral_entropy(diagonal_spectrum(torch.tensor([1.0, 1.0]))).item(), 4)  # ln 2
        0.6931
    """
    share = _ratio(spectrum.values, nuclear_norm(spectrum).unsqueeze(-1))
    return torch.special.entr(share).sum(-1)


@MEASURES.register(unit="1", formula="erank(A) = exp H(σ)", citation="Roy & Vetterli 2007, §2")
def effective_rank(spectrum: Spectrum) -> Values:
    """Effective rank exp H(σ), between 1 and r.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> round(effective_rank(diagonal_spectrum(torch.tensor([1.0, 1.0, 0.0]))).item(), 4)
        2.0
    """
    return torch.where(operator_norm(spectrum) == 0, 0.0, spectral_entropy(spectrum).exp())


@MEASURES.register(
    unit="1", formula="PR(A) = (Σσᵢ²)²/Σσᵢ⁴", citation="Bell & Dean 1970, participation ratio"
)
def participation_ratio(spectrum: Spectrum) -> Values:
    """Participation ratio of the energies σᵢ², between 1 and r.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> participation_ratio(diagonal_spectrum(torch.tensor([1.0, 1.0]))).item()
        2.0
    """
    energy = _ratio(spectrum.values, operator_norm(spectrum).unsqueeze(-1)).square()
    return _ratio(energy.sum(-1).square(), energy.square().sum(-1))


@MEASURES.register(unit="1", formula="σ₁/Σσᵢ", citation="share of the nuclear norm")
def top1_mass(spectrum: Spectrum) -> Values:
    """Share of the largest singular value in the nuclear norm.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> top1_mass(diagonal_spectrum(torch.tensor([3.0, 1.0]))).item()
        0.75
    """
    return _top_mass(spectrum, 1)


@MEASURES.register(unit="1", formula="Σ_{i≤5}σᵢ/Σσᵢ", citation="share of the nuclear norm")
def top5_mass(spectrum: Spectrum) -> Values:
    """Share of the five largest singular values in the nuclear norm.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> top5_mass(diagonal_spectrum(torch.tensor([1.0, 1.0]))).item()
        1.0
    """
    return _top_mass(spectrum, 5)


@MEASURES.register(unit="1", formula="Σ_{i≤10}σᵢ/Σσᵢ", citation="share of the nuclear norm")
def top10_mass(spectrum: Spectrum) -> Values:
    """Share of the ten largest singular values in the nuclear norm.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> top10_mass(diagonal_spectrum(torch.tensor([1.0, 1.0]))).item()
        1.0
    """
    return _top_mass(spectrum, 10)


@MEASURES.register(unit="1", formula="κ(A) = σ₁/σ_r", citation="Golub & Van Loan §2.6")
def condition_number(spectrum: Spectrum) -> Values:
    """Condition number σ₁/σ_r; NaN ("unresolved") where σ_r is below a hundred times its own error.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> condition_number(diagonal_spectrum(torch.tensor([4.0, 2.0]))).item()
        2.0
        >>> from spectrain.matrix import diagonal_spectrum
        >>> condition_number(diagonal_spectrum(torch.tensor([4.0, 0.0]))).item()
        nan
    """
    if spectrum.values.shape[-1] == 0:
        return _first(spectrum.values)
    smallest = spectrum.values[..., -1]
    resolved = (smallest > 100 * spectrum.error[..., -1]) & (smallest > 0)
    return torch.where(resolved, _ratio(operator_norm(spectrum), smallest), torch.nan)


@MEASURES.register(
    unit="1",
    formula="intdim(B) = Σσᵢ/σ₁ = tr B/‖B‖_op for B ⪰ 0",
    citation="Tropp 2015, §7; 'effective rank' of Davis & Drusvyatskiy, §2",
)
def intrinsic_dimension(spectrum: Spectrum) -> Values:
    """Trace over norm of a positive semidefinite matrix: Σσᵢ/σ₁.

    Davis & Drusvyatskiy call it effective rank, a name that is taken by exp H here.

    Example:
        >>> from spectrain.matrix import diagonal_spectrum
        >>> intrinsic_dimension(diagonal_spectrum(torch.tensor([4.0, 2.0]))).item()
        1.5
    """
    return _ratio(nuclear_norm(spectrum), operator_norm(spectrum))


def _first(values: Float[Tensor, "*batch r"]) -> Values:
    return values[..., 0] if values.shape[-1] else values.sum(-1)


def _ratio(over: Tensor, under: Tensor) -> Tensor:
    """over/under, and 0 where both are 0; the divisor is made safe before the division."""
    return over / torch.where(under == 0, 1.0, under)


def _top_mass(spectrum: Spectrum, k: int) -> Values:
    return _ratio(spectrum.values[..., :k].sum(-1), nuclear_norm(spectrum))
