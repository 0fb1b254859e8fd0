"""Sums over a spectrum by stochastic Lanczos quadrature, without the Gram matrix.

For u uniform on the unit sphere of ℝᵈ, d·uᵀf(AAᵀ)u has the mean Σf(σᵢ) and, with B = f(AAᵀ), the
relative variance 2d/(d+2)·(‖B‖²_F/tr²B − 1/d): for the nuclear norm 2(1/nr(A) − 1/d) nearly; a few
probes do where the nuclear rank is a fair part of d. Where it is small, the leading Ritz vectors Q
of the first probes' Krylov space are split off, Σf = tr QᵀBQ + tr P B P with P = 1 − QQᵀ, and fresh
probes estimate the second trace alone, from inside the range of P. Each quadratic form comes with
an upper and a lower bound (:mod:`spectrain.matrix.lanczos`), Ritz vectors included, converged or
not: their rules have one step, made of value and residual. The converged ones are taken out of A
altogether, which moves the singular values by Σ residuals in all at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.matrix.backends import spectrum
from spectrain.matrix.dominant import split_dominant
from spectrain.matrix.inputs import dense
from spectrain.matrix.measures import (
    effective_rank,
    frobenius_norm,
    nuclear_norm,
    nuclear_rank,
    operator_norm,
    stable_rank,
)
from spectrain.matrix.probing import LEAST, Probed, probe_spectrum
from spectrain.matrix.scale import largest_entry, unit_scale
from spectrain.matrix.spectrum import Spectrum, relative_error

SKETCHED = (
    "frobenius_norm",
    "operator_norm",
    "nuclear_norm",
    "effective_rank",
    "nuclear_rank",
    "stable_rank",
)
"""Measures that a sketch knows."""

DENSE = 256
"""Up to this size the exact spectrum takes no longer."""

MOST_FIXED = 64
"""Directions split off in float64 at most."""

LOOSEST = 0.25
"""Largest relative error asked of what lies below the directions split off."""

EXACT = 1e-12
"""Relative error of singular values found in float64; measured below 1e-14."""

NEGLIGIBLE = 4 * torch.finfo(torch.float64).eps
"""What is left of a matrix below this share of ‖A‖_F is the rounding of what was split off."""

OWN = 0x5EED_0F_5BEC
"""Mixed into the probes' seed: a matrix drawn from the same seed would otherwise hold them."""


@dataclass(frozen=True, slots=True)
class SketchEstimate:
    """A quantity, how far chance moves it, and how far the method can be off beyond chance.

    Attributes:
        value: the estimate.
        standard_error: over the probes; 0 where no chance is involved.
        low: lower end of the 95 % interval, the bound on the quadrature's error included.
        high: upper end.
    """

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a few products with a matrix say of its spectrum.

    Attributes:
        frobenius_norm: exact.
        operator_norm: the largest Ritz value, a lower bound; ``high`` adds its residual bound.
        nuclear_norm: Σσᵢ.
        effective_rank: exp of the entropy of σᵢ/Σσⱼ.
        nuclear_rank: ‖A‖_*²/‖A‖_F².
        stable_rank: ‖A‖_F²/‖A‖_op².
        nodes: singular values at which the quadrature puts the spectrum, ascending.
        weights: how many singular values each node stands for; Σ weights·f(nodes) estimates Σf(σᵢ).
        products: products of A or Aᵀ with a vector that were spent.
        probes: random starts behind the standard errors.
        deflated: Ritz vectors split off.
    """

    frobenius_norm: SketchEstimate
    operator_norm: SketchEstimate
    nuclear_norm: SketchEstimate
    effective_rank: SketchEstimate
    nuclear_rank: SketchEstimate
    stable_rank: SketchEstimate
    nodes: Float[Tensor, " p"]
    weights: Float[Tensor, " p"]
    products: int
    probes: int
    deflated: int

    @property
    def half_width(self) -> float:
        """Relative half width of the wider of the intervals of nuclear norm and effective rank."""
        wider = (self.nuclear_norm, self.effective_rank)
        return max((one.high - one.low) / 2 / one.value if one.value else 0.0 for one in wider)

    def counts(self, edges: Float[Tensor, " b"]) -> Float[Tensor, " bins"]:
        """Estimated number of singular values between consecutive edges: the spectral density."""
        bins = torch.bucketize(self.nodes, edges.to(self.nodes), right=True)
        sums = self.weights.new_zeros(len(edges) + 1).index_add(0, bins, self.weights)
        return sums[1:-1]


def sketch(
    matrix: Float[Tensor, "m n"],
    *,
    rtol: float = 0.02,
    products: int | None = None,
    generator: torch.Generator | None = None,
) -> Sketch:
    """Norms and ranks of a matrix from products with vectors, with 95 % intervals.

    Stops once the half widths of the intervals of nuclear norm and effective rank are below
    ``rtol`` of their values, or the products are spent; the intervals say which.

    Args:
        matrix: any floating dtype; computed in float32 on its device.
        rtol: wanted relative half width.
        products: most products of A or Aᵀ with a vector, at least 144; 4·min(m, n) if not given.
        generator: draws the probes, on the matrix's device; a fresh one if none is given.

    Raises:
        InputError: the matrix is empty or not finite, or the budget too small.

    Source:
        Ubaru, Chen & Saad 2017; Meyer et al. 2021 (Hutch++); Chen & Hallman 2023 (Krylov-aware
        deflation); Golub & Meurant 2010 for the bounds.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> matrix = torch.randn(512, 1024, generator=generator)
        >>> norm = sketch(matrix, rtol=0.05, generator=generator).nuclear_norm
        >>> bool(norm.low < torch.linalg.svdvals(matrix).sum() < norm.high)
        True
    """
    matrix = _one_matrix(matrix)
    budget = max(4 * min(matrix.shape), LEAST) if products is None else products
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    largest = largest_entry(wide)
    _check(largest, budget)
    if min(wide.shape) <= DENSE or largest == 0:
        return _dense(wide)
    dtype = torch.promote_types(wide.dtype, torch.float32)
    unit, scale = (x[0] for x in unit_scale(wide[None], largest[None], dtype))
    return _sketch(unit, scale.item(), rtol, budget, _own(generator, matrix.device))


@dataclass(frozen=True, slots=True)
class _Whole:
    """Sums over what was split off and over the rest, with half widths of 95 % intervals.

    Attributes:
        nuclear: Σσ.
        nuclear_error: standard error.
        nuclear_margin: half width, the bounds beyond chance included.
        entropy: of σ/Σσ.
        entropy_error: standard error.
        entropy_margin: half width.
    """

    nuclear: float
    nuclear_error: float
    nuclear_margin: float
    entropy: float
    entropy_error: float
    entropy_margin: float


def _sketch(
    unit: Tensor, scale: float, rtol: float, budget: int, generator: torch.Generator
) -> Sketch:
    fixed: list[float] = []
    rest, shrunk, moved, spent = unit, 1.0, 0.0, 0
    frobenius = torch.linalg.vector_norm(unit, dtype=torch.float64).item()
    while len(fixed) < MOST_FIXED:
        split, products = split_dominant(rest, generator)
        spent += products
        if split is None:
            break
        fixed += (split.values * shrunk).tolist()
        moved += split.moved * shrunk
        rest, shrunk = split.rest, shrunk * split.scale
        left = torch.linalg.vector_norm(rest, dtype=torch.float64).item() * shrunk
        if left <= NEGLIGIBLE * frobenius:
            rest, moved = torch.zeros_like(rest), moved + math.sqrt(len(rest)) * left
            break
    wanted = _loosened(rtol, sum(fixed), rest, shrunk)
    room = max(budget - spent, LEAST)
    probed = probe_spectrum(rest.float(), wanted, room, generator) if rest.any() else None
    whole = _together(fixed, probed, shrunk, moved)
    return _result(whole, fixed, probed, shrunk, frobenius, scale, len(unit), spent)


def _loosened(rtol: float, fixed: float, rest: Tensor, shrunk: float) -> float:
    """The relative error of the rest that leaves ``rtol`` of the whole.

    With w the share of the rest in Σσ, the entropy of the whole changes by
    w(1 − w)|ln((1 − w)/w) + H_rest − H_fixed| times the relative error of the rest's Σσ, and by w
    times the error of its entropy.
    """
    if not fixed:
        return rtol
    size = min(rest.shape)
    likely = math.sqrt(size) * torch.linalg.vector_norm(rest, dtype=torch.float64).item() * shrunk
    share = likely / (fixed + likely)
    if share == 0:
        return LOOSEST
    lever = abs(math.log1p(-share) - math.log(share)) + math.log(size)
    return min(rtol / max(share * (1 + (1 - share) * lever), 1e-12), LOOSEST)


def _together(fixed: list[float], probed: Probed | None, shrunk: float, moved: float) -> _Whole:
    """Entropy by the chain rule H = h(w) + w·H_rest + (1 − w)·H_fixed."""
    known = sum(fixed)
    entropy_known = -sum(value / known * math.log(value / known) for value in fixed if value)
    if probed is None:
        slope = math.log(max(len(fixed), 2)) + 1
        return _Whole(known, 0.0, moved, entropy_known, 0.0, moved / known * slope)
    sums, unit = probed.sums, probed.frobenius * shrunk
    nuclear, entropy = sums.nuclear, sums.entropy
    total = known + nuclear.value * unit
    share = nuclear.value * unit / total
    mixing = sum(-p * math.log(p) for p in (share, 1 - share) if p > 0)
    lever = 0.0
    if known:
        odds = math.log1p(-share) - math.log(share)
        lever = share * (1 - share) * abs(odds + entropy.value - entropy_known)
    relative = nuclear.error / nuclear.value
    margin = (sums.quantile * nuclear.error + nuclear.bias) / nuclear.value
    spread = sums.quantile * entropy.error + entropy.bias
    loss = moved / total * (math.log(total / max(moved, 1e-300 * total)) if moved else 0.0)
    return _Whole(
        nuclear=total,
        nuclear_error=nuclear.error * unit,
        nuclear_margin=margin * nuclear.value * unit + moved,
        entropy=mixing + share * entropy.value + (1 - share) * entropy_known,
        entropy_error=lever * relative + share * entropy.error,
        entropy_margin=lever * margin + share * spread + loss,
    )


def _result(
    whole: _Whole,
    fixed: list[float],
    probed: Probed | None,
    shrunk: float,
    frobenius: float,
    scale: float,
    size: int,
    spent: int,
) -> Sketch:
    unit = frobenius * scale
    nuclear = whole.nuclear / frobenius
    margin, error = whole.nuclear_margin / frobenius, whole.nuclear_error / frobenius
    rank = math.exp(whole.entropy)
    if fixed:
        top, above = max(fixed) / frobenius, 1.0
        above = min(top * (1 + EXACT), 1.0)
    else:
        assert probed is not None  # a matrix of which nothing is split off is not zero
        top = probed.largest / frobenius
        above = min(top + probed.largest_error / frobenius, 1.0)
    nodes = torch.tensor(sorted(fixed), dtype=torch.float64, device="cpu")
    weights = torch.ones_like(nodes)
    if probed is not None:
        nodes = torch.cat([probed.nodes.cpu() * shrunk, nodes])
        weights = torch.cat([probed.weights.cpu(), weights])
        nodes, order = nodes.sort()
        weights = weights[order]
    return Sketch(
        frobenius_norm=SketchEstimate(unit, 0.0, unit, unit),
        operator_norm=_estimate(top * unit, 0.0, top * unit, above * unit),
        nuclear_norm=_estimate(
            nuclear * unit,
            error * unit,
            max(nuclear - margin, 1.0) * unit,
            (nuclear + margin) * unit,
        ),
        effective_rank=_estimate(
            rank,
            rank * whole.entropy_error,
            rank * math.exp(-whole.entropy_margin),
            rank * math.exp(whole.entropy_margin),
            least=1.0,
            most=float(size),
        ),
        nuclear_rank=_estimate(
            nuclear**2,
            2 * nuclear * error,
            max(nuclear - margin, 1.0) ** 2,
            (nuclear + margin) ** 2,
            least=1.0,
            most=float(size),
        ),
        stable_rank=_estimate(top**-2, 0.0, above**-2, top**-2, least=1.0, most=float(size)),
        nodes=nodes * scale,
        weights=weights,
        products=spent + (0 if probed is None else probed.products),
        probes=0 if probed is None else probed.probes,
        deflated=len(fixed) + (0 if probed is None else probed.deflated),
    )


def _estimate(
    value: float,
    error: float,
    low: float,
    high: float,
    *,
    least: float = 0.0,
    most: float = math.inf,
) -> SketchEstimate:
    """An estimate within its range, its interval around it: rounding may have turned them over."""
    value = min(max(value, least), most)
    low, high = min(max(low, least), value), max(min(high, most), value)
    return SketchEstimate(value, error, low, high)


def _own(generator: torch.Generator | None, device: torch.device) -> torch.Generator:
    """A generator of the sketch's own, seeded by the caller's: its numbers occur in no matrix."""
    seed = 0
    if generator is not None:
        seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
    return torch.Generator(device).manual_seed(seed ^ OWN)


def _dense(matrix: Tensor) -> Sketch:
    """The exact spectrum as a sketch without chance."""
    exact = spectrum(matrix)
    return Sketch(
        frobenius_norm=of_spectrum(exact, frobenius_norm),
        operator_norm=of_spectrum(exact, operator_norm),
        nuclear_norm=of_spectrum(exact, nuclear_norm),
        effective_rank=of_spectrum(exact, effective_rank),
        nuclear_rank=of_spectrum(exact, nuclear_rank),
        stable_rank=of_spectrum(exact, stable_rank),
        nodes=exact.values.flip(-1),
        weights=torch.ones_like(exact.values),
        products=min(matrix.shape),
        probes=0,
        deflated=0,
    )


def of_spectrum(s: Spectrum, measure: Callable[[Spectrum], Tensor]) -> SketchEstimate:
    """A measure of a spectrum as an estimate without chance."""
    value = measure(s).item()
    slack = 2 * relative_error(s.values, s.error).item()
    return SketchEstimate(value, 0.0, value * (1 - slack), value * (1 + slack))


def _one_matrix(given: object) -> Tensor:
    matrix = dense(given, what="a sketch")
    if matrix.ndim > 2:
        raise InputError(
            f"a sketch is of one matrix, not of shape {tuple(matrix.shape)}",
            remedy="sketch each matrix of the batch",
        )
    if not matrix.numel():
        raise InputError("the matrix is empty", remedy="leave it out")
    return matrix


def _check(largest: Tensor, budget: int) -> None:
    if not largest.isfinite():
        raise InputError("the matrix holds NaN or Inf", remedy="skip the step")
    if budget < LEAST:
        raise InputError(f"{budget} products are too few", remedy=f"allow at least {LEAST}")
