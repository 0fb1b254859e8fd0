"""From matrices to spectra: choice of back end and precision by the error that is wanted."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix import gram
from spectrain.matrix.inputs import dense
from spectrain.matrix.scale import largest_entry, power_of_two, unit_scale
from spectrain.matrix.spectrum import Spectrum, SpectrumStatus, relative_error

REDUCED = 1.5
"""Longer matrices than this ratio of sides are reduced to their triangular factor before an SVD."""

Method = Literal["auto", "exact", "gram"]

RECORD_RTOL = 1e-3
"""Wanted error of what is recorded in training, where a batch's own noise is tens of per cent: met
by the Gram matrix even where half of the singular values are zero, without a decomposition."""

FLOAT32_FLOOR = 1e-4
"""Below this wanted error the float32 Gram matrix is not tried: its bound never meets it."""

FLOAT32_FLOOR_CPU = 0.05
"""The same on a CPU, where float32 saves a fifth: for spectra as steep as those of gradients of
768 × 768 to 3072 its bound is 0.04 to 0.08, and trying it in vain costs more than it saves."""


def spectrum(
    matrix: Float[Tensor, "*batch m n"], *, method: Method = "auto", rtol: float = 1e-6
) -> Spectrum:
    """Singular values of a matrix, or of each matrix of a batch.

    ``exact`` is LAPACK's SVD in float64, ``gram`` the eigenvalues of the small Gram matrix: in
    float32 where its own error bound meets ``rtol``, else in float64, except for matrices where
    even that does not (steep and low-rank spectra), which get the SVD. ``auto`` is ``gram``, unless
    no Gram matrix could meet ``rtol``.

    Args:
        matrix: any floating dtype; half precision and float8 are read exactly. Follows the device.
        method: the back end.
        rtol: wanted relative error of nuclear norm and effective rank.

    Raises:
        InputError: the input is not a dense matrix of real floating numbers
            (:func:`spectrain.matrix.inputs.dense`), or ``rtol`` is not positive.

    Source:
        Golub & Van Loan, Matrix Computations, §8.6 (error of the eigenvalues of AᵀA).

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> s = spectrum(torch.randn(64, 256, generator=generator))
        >>> s.method, s.values.shape
        ('gram/float64', torch.Size([64]))
    """
    if not rtol > 0:
        raise InputError(f"rtol is {rtol}", remedy="pass a positive relative error")
    matrix = dense(matrix)
    m, n = matrix.shape[-2:]
    batch = matrix.shape[:-2]
    if matrix.numel() == 0:
        return _empty(matrix, batch, (m, n))
    flat = matrix.reshape(-1, m, n)
    largest = largest_entry(flat)
    values, error, name = _values(flat, largest, method, rtol)
    status = _status(largest)
    values = torch.where(largest.isfinite().unsqueeze(-1), values, torch.nan)
    rank = min(m, n)
    return Spectrum(
        values.reshape(*batch, rank),
        error.reshape(*batch, rank),
        (m, n),
        name,
        status.reshape(batch),
    )


def diagonal_spectrum(diagonal: Float[Tensor, "*batch n"]) -> Spectrum:
    """Spectrum of diag(γ): the magnitudes of γ in descending order.

    With it nuclear and stable rank are ‖γ‖₁²/‖γ‖₂² and ‖γ‖₂²/‖γ‖∞², the diagonal forms of
    Davis & Drusvyatskiy, §4.5.

    Example:
        >>> import torch
        >>> diagonal_spectrum(torch.tensor([1.0, -2.0])).values
        tensor([2., 1.], dtype=torch.float64)
    """
    vector = dense(diagonal, dimensions=1).double()
    n = vector.shape[-1]
    if n == 0:
        return _empty(diagonal, diagonal.shape[:-1], (0, 0))
    values = vector.abs().sort(-1, descending=True).values
    largest = torch.linalg.vector_norm(vector, math.inf, dim=-1)
    values = torch.where(largest.isfinite().unsqueeze(-1), values, torch.nan)
    return Spectrum(values, torch.zeros_like(values), (n, n), "diagonal", _status(largest))


def gram_spectrum(
    gram_matrix: Float[Tensor, "*batch d d"], columns: int, *, accumulated_in: torch.dtype
) -> Spectrum:
    """Spectrum of A (d × columns) of which only A Aᵀ is at hand, as from a stream of activations.

    Args:
        gram_matrix: A Aᵀ; NaN and Inf are answered as by :func:`spectrum`.
        columns: number of columns of A.
        accumulated_in: the precision in which A Aᵀ was summed.

    Example:
        >>> import torch
        >>> a = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]], dtype=torch.float64)
        >>> gram_spectrum(a @ a.T, 3, accumulated_in=torch.float64).values.round(decimals=6)
        tensor([4., 3.], dtype=torch.float64)
    """
    gram_matrix = dense(gram_matrix)
    size = gram_matrix.shape[-1]
    if size == 0 or columns == 0:
        return _empty(gram_matrix, gram_matrix.shape[:-2], (size, columns))
    largest = largest_entry(gram_matrix)
    unit, scale = unit_scale(gram_matrix, largest, torch.float64)
    values, error = gram.singular_values(unit, max(size, columns), accumulated_in)
    root, rank = scale.sqrt().unsqueeze(-1), min(size, columns)
    values = torch.where(largest.isfinite().unsqueeze(-1), values * root, torch.nan)
    name = f"gram/{_name(accumulated_in)}"
    return Spectrum(
        values[..., :rank], (error * root)[..., :rank], (size, columns), name, _status(largest)
    )


def _values(
    flat: Float[Tensor, "b m n"], largest: Float[Tensor, " b"], method: Method, rtol: float
) -> tuple[Float[Tensor, "b r"], Float[Tensor, "b r"], str]:
    longer = max(flat.shape[-2:])
    if method == "exact" or (method == "auto" and rtol < _floor(longer)):
        return _exact(flat, largest)
    grams = _grams_on_cpu if flat.device.type == "cpu" else _grams
    if tries_float32(flat, rtol):
        values, error = grams(flat, largest, torch.float32)
        if (relative_error(values, error) <= rtol).all():
            return values, error, "gram/float32"
    values, error = grams(flat, largest, torch.float64)
    for index in (relative_error(values, error) > rtol).nonzero().flatten().tolist():
        alone = slice(index, index + 1)
        values[alone], error[alone] = _exact(flat[alone], largest[alone])[:2]
    return values, error, "gram/float64"


def tries_float32(matrix: Tensor, rtol: float) -> bool:
    """Whether the float32 Gram matrix is worth a try."""
    floor = FLOAT32_FLOOR_CPU if matrix.device.type == "cpu" else FLOAT32_FLOOR
    return rtol >= floor and matrix.dtype != torch.float64


def _grams(
    flat: Float[Tensor, "b m n"], largest: Float[Tensor, " b"], dtype: torch.dtype
) -> tuple[Float[Tensor, "b r"], Float[Tensor, "b r"]]:
    unit, scale = unit_scale(flat, largest, dtype)
    values, error = gram.singular_values(gram.small_gram(unit), max(flat.shape[-2:]), dtype)
    return values * scale[:, None], error * scale[:, None]


def _grams_on_cpu(
    flat: Float[Tensor, "b m n"], largest: Float[Tensor, " b"], dtype: torch.dtype
) -> tuple[Float[Tensor, "b r"], Float[Tensor, "b r"]]:
    finite = largest.isfinite()
    if not finite.all():
        flat = torch.where(finite[:, None, None], flat, 0.0)
    scale = power_of_two(largest)
    values, error = gram.each_singular_values(flat, scale, dtype)
    return values * scale[:, None], error * scale[:, None]


def _exact(
    flat: Float[Tensor, "b m n"], largest: Float[Tensor, " b"]
) -> tuple[Float[Tensor, "b r"], Float[Tensor, "b r"], str]:
    unit, scale = unit_scale(flat, largest, torch.float64)
    m, n = unit.shape[-2:]
    if max(m, n) > REDUCED * min(m, n):
        unit = torch.linalg.qr(unit if m > n else unit.mT, mode="r").R
    if unit.device.type == "cpu":
        values = torch.from_numpy(np.linalg.svd(unit.numpy(), compute_uv=False))
    else:
        values = torch.linalg.svdvals(unit)
    values = values * scale[:, None]
    error = (_floor(max(flat.shape[-2:])) * values[:, :1]).expand_as(values)
    return values, error, "exact/float64"


def _floor(longer: int) -> float:
    """Relative error that float64 cannot beat."""
    return gram.ROUNDING * math.sqrt(longer) * torch.finfo(torch.float64).eps


def _status(largest: Float[Tensor, "*batch"]) -> Int8[Tensor, "*batch"]:
    status = torch.where(largest == 0, int(SpectrumStatus.ZERO), int(SpectrumStatus.OK))
    return torch.where(largest.isfinite(), status, int(SpectrumStatus.NOT_FINITE)).to(torch.int8)


def _empty(like: Tensor, batch: torch.Size, shape: tuple[int, int]) -> Spectrum:
    values = like.new_zeros((*batch, 0), dtype=torch.float64)
    status = torch.full(batch, int(SpectrumStatus.EMPTY), dtype=torch.int8, device=like.device)
    return Spectrum(values, values, shape, "none", status)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
