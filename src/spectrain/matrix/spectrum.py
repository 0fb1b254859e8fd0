"""The spectrum of a matrix: its singular values, how they were computed, how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from spectrain.core.notebook import MOST_ROWS, small_table


class SpectrumStatus(IntEnum):
    """Whether a spectrum is that of an ordinary matrix."""

    OK = 0
    ZERO = 1
    EMPTY = 2
    NOT_FINITE = 3


REASONS: dict[SpectrumStatus, str | None] = {
    SpectrumStatus.OK: None,
    SpectrumStatus.ZERO: "zero matrix",
    SpectrumStatus.EMPTY: "empty matrix",
    SpectrumStatus.NOT_FINITE: "matrix holds NaN or Inf",
}


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Singular values of one matrix or of a batch of equal-shaped matrices.

    Attributes:
        values: σ₁ ≥ σ₂ ≥ … ≥ σ_r ≥ 0 in float64, r = min(m, n); zeros for a zero matrix, NaN where
            the matrix is not finite.
        error: bound on the absolute error of each value.
        shape: (m, n) of the matrix.
        method: back end and precision, such as ``"gram/float64"``.
        status: one :class:`SpectrumStatus` a matrix.

    Example:
        >>> import torch
        >>> from spectrain.matrix import spectrum, stable_rank
        >>> s = spectrum(torch.diag(torch.tensor([3.0, 4.0])))
        >>> s.values
        tensor([4., 3.], dtype=torch.float64)
        >>> stable_rank(s).item()  # (9 + 16) / 16
        1.5625
    """

    values: Float[Tensor, "*batch r"]
    error: Float[Tensor, "*batch r"]
    shape: tuple[int, int]
    method: str
    status: Int8[Tensor, "*batch"]

    def __repr__(self) -> str:
        batch = f"{tuple(self.values.shape[:-1])} of " if self.values.ndim > 1 else ""
        return f"Spectrum({batch}{self.shape[0]} × {self.shape[1]}, {self.method})"

    def _repr_html_(self) -> str:
        batch = self.status.numel()
        values = self.values.reshape(batch, -1)[:MOST_ROWS].tolist()
        rows = [
            (number, f"{row[0]:.4g}", f"{row[-1]:.4g}") if row else (number, "–", "–")
            for number, row in enumerate(values)
        ]
        lines = [(*row, why or "") for row, why in zip(rows, self.reasons, strict=False)]
        return small_table(repr(self), lines, head=("", "largest", "smallest", ""), total=batch)

    @property
    def reasons(self) -> list[str | None]:
        """Why a matrix has no ordinary spectrum, flat over the batch. Waits for the device."""
        return [REASONS[SpectrumStatus(code)] for code in self.status.flatten().tolist()]

    def __getitem__(self, index: int) -> Spectrum:
        """One matrix of a batch."""
        return Spectrum(
            self.values[index], self.error[index], self.shape, self.method, self.status[index]
        )

    def __len__(self) -> int:
        return len(self.values)


def relative_error(
    values: Float[Tensor, "*batch r"], error: Float[Tensor, "*batch r"]
) -> Float[Tensor, "*batch"]:
    """Bound on the relative error of nuclear norm and effective rank, to first order.

    With S = Σσᵢ, pᵢ = σᵢ/S and H the entropy of p: |δS|/S ≤ Σδᵢ/S, and
    |δ exp H|/exp H = |δH| ≤ Σ|ln pᵢ + H| δᵢ/S. A value below its own error enters the logarithm as
    that error.

    Example:
        >>> import torch
        >>> round(relative_error(torch.ones(4), torch.full((4,), 0.01)).item(), 4)
        0.01
    """
    total = values.sum(-1, keepdim=True).clamp_min(torch.finfo(values.dtype).tiny)
    share = values / total
    entropy = torch.special.entr(share).sum(-1, keepdim=True)
    log_share = torch.maximum(values, error).div(total).clamp_min(1e-300).log()
    slope = (log_share + entropy).abs().clamp_min(1.0)
    return (slope * error / total).sum(-1)
