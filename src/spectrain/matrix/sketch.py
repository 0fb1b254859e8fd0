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
from torch.nn.functional import pad

from spectrain.core.errors import InputError
from spectrain.matrix.backends import spectrum
from spectrain.matrix.lanczos import (
    Krylov,
    Ritz,
    begin,
    extend,
    krylov_triples,
    no_triples,
    ritz,
    ritz_mixing,
)
from spectrain.matrix.measures import (
    effective_rank,
    frobenius_norm,
    nuclear_norm,
    nuclear_rank,
    operator_norm,
    stable_rank,
)
from spectrain.matrix.quadrature import Density, Sample, Sums, measured, ritz_bounds, totals
from spectrain.matrix.scale import largest_entry, unit_scale
from spectrain.matrix.spectrum import Spectrum, relative_error

PROBES = 8
"""Probes of the first round, and least number of a later one; t intervals at 7 degrees."""

FIRST_STEPS, MORE_STEPS, PILOT_STEPS, MOST_STEPS = 8, 4, 32, 64
"""Lanczos steps at first, added at a time, and at most: in the first round and in later ones."""

QUADRATURE_SHARE = 0.25
"""Share of the wanted error that the quadrature's bound may take."""

SPLIT_SHARE = 0.0125
"""Share of the wanted error of the nuclear norm, each, that the bounds of the vectors split off and
of those taken out may add; the entropy's is about five times that."""

LEADING = 4
"""Ritz vectors taken where only the operator norm is wanted of them."""

IDLE = 0.1
"""Share of the error by chance below which the quadrature's bound does not matter."""

LEAST = 2 * PROBES * FIRST_STEPS + 4 * LEADING
"""Products of the smallest sketch."""

MOST_KNOWN, APART = 32, 0.05
"""Triples taken from a Krylov space at most, and the angle to their true space in units of 1/√d."""

SKETCHED = (
    "frobenius_norm",
    "operator_norm",
    "nuclear_norm",
    "effective_rank",
    "nuclear_rank",
    "stable_rank",
)
"""Measures that a sketch knows."""

GROWTH = 3
"""Most probes of a round, in multiples of those at hand."""

DENSE = 256
"""Up to this size the exact spectrum takes no longer."""


@dataclass(frozen=True, slots=True)
class Estimate:
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
    """What a few products with a matrix tell of its spectrum.

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

    frobenius_norm: Estimate
    operator_norm: Estimate
    nuclear_norm: Estimate
    effective_rank: Estimate
    nuclear_rank: Estimate
    stable_rank: Estimate
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
        >>> found = sketch(matrix, rtol=0.05, generator=generator).nuclear_norm
        >>> bool(found.low < torch.linalg.svdvals(matrix).sum() < found.high)
        True
    """
    if not matrix.numel():
        raise InputError("the matrix is empty", remedy="leave it out")
    budget = max(4 * min(matrix.shape), LEAST) if products is None else products
    wide = matrix.detach() if matrix.shape[0] <= matrix.shape[1] else matrix.detach().mT
    largest = largest_entry(wide)
    _check(largest, budget)
    if min(wide.shape) <= DENSE or largest == 0:
        return _dense(wide)
    dtype = torch.promote_types(wide.dtype, torch.float32)
    unit, scale = (x[0] for x in unit_scale(wide[None], largest[None], dtype))
    generator = generator or torch.Generator(matrix.device).manual_seed(0)
    return _sketch(unit.float(), scale.item(), rtol, budget, generator)


@dataclass(slots=True)
class _Rounds:
    """Rounds of probes on a d × n float32 matrix, d ≤ n, with the account of what they cost."""

    matrix: Tensor
    frobenius: float
    rtol: float
    budget: int
    generator: torch.Generator
    split: Ritz
    removed: Ritz
    known: Ritz
    edge: float = math.inf
    spent: int = 0

    @property
    def floor(self) -> float:
        """Lengths below this are rounding."""
        return torch.finfo(self.matrix.dtype).eps * self.frobenius

    def sums(self, sample: Sample) -> Sums:
        """Sums over the whole spectrum as ``sample`` has them."""
        apart = self.split if len(self.split) else self.known
        fixed = ritz_bounds(apart, self.frobenius)
        moved = self.floor * len(self.matrix) + self.removed.residual.sum().item()
        energy = max(1 - (apart.values / self.frobenius).square().sum().item(), 0.0)
        rest = len(self.matrix) - len(fixed)
        return totals(fixed, self.rest(sample), rest, energy, moved / self.frobenius)

    def rest(self, sample: Sample) -> Sample:
        """What the probes say of the spectrum below the known triples."""
        return sample if len(self.split) else sample.beside(self.known, self.edge, self.frobenius)

    def learn(self, krylov: Krylov) -> tuple[Tensor, Tensor]:
        """Keep the leading triples that have converged, so far that the starts do not show in them.

        A Ritz vector is made of the starts, and its square overlap with one has the mean 1/d of an
        independent vector only if it is much closer than 1/√d to a singular vector, apart from all
        others: of a multiple value no more copies are seen than there are starts.
        """
        values, mixing = ritz_mixing(krylov)
        count = min(MOST_KNOWN, len(values) - 1)
        found = krylov_triples(krylov, mixing[:, :count])
        below = values[:-1] - values[1:]
        gap = torch.minimum(below, pad(below[:-1], (1, 0), value=math.inf))[:count]
        angle = (found.residual / gap.clamp_min(1e-300)).square().cumsum(0).sqrt()
        good = (angle < APART / math.sqrt(len(self.matrix))).nonzero().flatten()
        count = int(good[-1]) + 1 if len(good) else 0
        self.known = found[torch.arange(count)]
        if count:
            self.edge = (values[count - 1] + values[count]).item() / 2
        return values, mixing

    def met(self, sums: Sums) -> bool:
        """Whether the wanted error is reached."""
        return sums.chance + sums.bias <= self.rtol

    def probe(self, count: int, most: int = MOST_STEPS) -> tuple[Sample, Krylov]:
        """New probes, orthogonal to what is split off."""
        starts = torch.randn(
            count,
            len(self.matrix),
            dtype=self.matrix.dtype,
            device=self.matrix.device,
            generator=self.generator,
        )
        for _ in range(2):  # twice is enough (Parlett 1998, §6.9)
            starts = starts - (starts @ self.split.left.mT) @ self.split.left
        starts = starts / torch.linalg.vector_norm(starts, dim=1, keepdim=True)
        return self.grown(begin(starts, self.matrix.shape[1]), most)

    def grown(self, krylov: Krylov, most: int) -> tuple[Sample, Krylov]:
        """Steps added to probes while the quadrature's bound matters and the budget lasts."""
        count = len(krylov.left)
        steps = MORE_STEPS if krylov.steps else FIRST_STEPS
        while True:
            krylov = extend(self.matrix, krylov, steps, removed=self.removed, floor=self.floor)
            self.spent += 2 * count * steps
            steps = MORE_STEPS
            sample = measured(krylov, self.frobenius)
            if (
                not self.affordable(krylov)
                or krylov.steps >= most
                or not self.loose(self.sums(sample))
            ):
                return sample, krylov

    def loose(self, sums: Sums) -> bool:
        """Whether the quadrature's bound is worth more steps."""
        if self.met(sums):
            return False
        return sums.bias > max(QUADRATURE_SHARE * self.rtol, IDLE * sums.chance)

    def affordable(self, krylov: Krylov) -> bool:
        """Whether the budget lasts for more steps."""
        return self.spent + 2 * len(krylov.left) * MORE_STEPS <= self.budget

    def until_met(self, sample: Sample, steps: int) -> Sample:
        """More probes of about ``steps`` steps: what the error needs or the budget allows."""
        while True:
            sums, have = self.sums(sample), len(sample.bounds)
            room = (self.budget - self.spent) // (2 * steps)
            target = max(self.rtol - sums.bias, self.rtol / 2)
            if sums.chance <= target or room < 2:
                return sample
            wanted = have * ((sums.chance / target) ** 2 - 1) if target else math.inf
            wanted = min(max(wanted, have / 2), GROWTH * have)
            more, _ = self.probe(min(math.ceil(wanted), room))
            sample = sample.joined(more)


def _sketch(
    a: Tensor, scale: float, rtol: float, budget: int, generator: torch.Generator
) -> Sketch:
    frobenius = torch.linalg.vector_norm(a, dtype=torch.float64).item()
    none = no_triples(a)
    rounds = _Rounds(a, frobenius, rtol, budget - 4 * LEADING, generator, none, none, none)
    sample, krylov = rounds.probe(PROBES, PILOT_STEPS)
    values, mixing = rounds.learn(krylov)
    while krylov.steps < PILOT_STEPS and rounds.affordable(krylov):
        if not rounds.loose(rounds.sums(sample)):
            break
        sample, krylov = rounds.grown(krylov, krylov.steps + 2 * MORE_STEPS)
        values, mixing = rounds.learn(krylov)
    sums = rounds.sums(sample)
    split = not rounds.met(sums) and _worth_splitting(
        rounds, sample, sums, values / frobenius, krylov.steps
    )
    leading = ritz(a, krylov, mixing if split else mixing[:, :LEADING])
    if split:
        rounds.spent += 4 * (len(values) - LEADING)
        slack = SPLIT_SHARE * max(rtol, IDLE * sums.chance) * sums.nuclear.value * frobenius
        rounds.split = _tight(leading, slack)
        order = rounds.split.residual.argsort()
        rounds.removed = rounds.split[order[rounds.split.residual[order].cumsum(0) <= slack]]
        sample, krylov = rounds.probe(PROBES)
    elif rounds.loose(sums) and rounds.affordable(krylov):
        sample, krylov = rounds.grown(krylov, MOST_STEPS)
        rounds.learn(krylov)
    sample = rounds.until_met(sample, krylov.steps)
    rounds.spent += 4 * LEADING
    return _result(rounds, sample, leading, scale)


def _worth_splitting(
    rounds: _Rounds, sample: Sample, sums: Sums, values: Tensor, steps: int
) -> bool:
    """Whether it costs less to split the Ritz vectors off than to take more probes.

    It leaves the variance of what lies below them, costs four products a vector and begins the
    count of probes anew.
    """
    size, smallest = len(rounds.matrix), values[-1].item()
    rest = rounds.rest(sample)
    before, after = Density.of(rest).covariance, Density.of(rest, below=smallest).covariance
    left = ((size - len(values)) / (size - len(rounds.known))) ** 2
    share = min(left * (after.diagonal() / before.diagonal().clamp_min(1e-300)).max().item(), 1.0)
    room = (rounds.budget - rounds.spent) / (2 * steps)
    afresh = room - 2 * len(values) / steps
    if afresh < PROBES:
        return False
    target = max(rounds.rtol, sums.chance * math.sqrt(min(share / afresh, 1 / room) * PROBES))
    needed = PROBES * (sums.chance / max(target, 1e-12)) ** 2
    return max(share * needed, PROBES) + 2 * len(values) / steps < needed - PROBES


def _tight(vectors: Ritz, slack: float) -> Ritz:
    """The vectors with the tightest bounds, as many as add up to ``slack`` at most."""
    loss = vectors.values - vectors.values.square() / torch.hypot(
        vectors.values, vectors.residual
    ).clamp_min(1e-300)
    order = (loss / vectors.values.square().clamp_min(1e-300)).argsort()
    kept = order[loss[order].cumsum(0) <= 2 * slack]
    return vectors[kept]


def _result(rounds: _Rounds, sample: Sample, leading: Ritz, scale: float) -> Sketch:
    sums, rest = rounds.sums(sample), rounds.rest(sample)
    apart = rounds.split if len(rounds.split) else rounds.known
    nuclear, entropy = sums.nuclear, sums.entropy
    unit = rounds.frobenius * scale
    margin = sums.quantile * nuclear.error + nuclear.bias
    spread = sums.quantile * entropy.error + entropy.bias
    low, high = max(nuclear.value - margin, 1.0), nuclear.value + margin
    rank = math.exp(entropy.value)
    top = leading.values[0].item() / rounds.frobenius
    above = min(top + _top_error(leading) / rounds.frobenius, 1.0)
    count = len(sample.bounds)
    nodes = torch.cat([rest.nodes * rounds.frobenius, apart.values])
    weights = torch.cat(
        [
            rest.weights * ((len(rounds.matrix) - len(apart)) / count),
            torch.ones_like(apart.values),
        ]
    )
    nodes, order = nodes.sort()
    return Sketch(
        frobenius_norm=Estimate(unit, 0.0, unit, unit),
        operator_norm=Estimate(top * unit, 0.0, top * unit, above * unit),
        nuclear_norm=Estimate(nuclear.value * unit, nuclear.error * unit, low * unit, high * unit),
        effective_rank=Estimate(
            rank, rank * entropy.error, rank * math.exp(-spread), rank * math.exp(spread)
        ),
        nuclear_rank=Estimate(nuclear.value**2, 2 * nuclear.value * nuclear.error, low**2, high**2),
        stable_rank=Estimate(top**-2, 0.0, above**-2, top**-2),
        nodes=nodes * scale,
        weights=weights[order],
        products=rounds.spent,
        probes=count,
        deflated=len(apart),
    )


def _top_error(leading: Ritz) -> float:
    """Bound on the error of the largest value: its residual, or its square over the gap."""
    residual = leading.residual[0].item()
    gap = (leading.values[0] - leading.values[1] - leading.residual[1]).item()
    return residual if gap <= residual else residual**2 / gap


def _dense(matrix: Tensor) -> Sketch:
    """The exact spectrum as a sketch without chance."""
    found = spectrum(matrix)
    return Sketch(
        frobenius_norm=of_spectrum(found, frobenius_norm),
        operator_norm=of_spectrum(found, operator_norm),
        nuclear_norm=of_spectrum(found, nuclear_norm),
        effective_rank=of_spectrum(found, effective_rank),
        nuclear_rank=of_spectrum(found, nuclear_rank),
        stable_rank=of_spectrum(found, stable_rank),
        nodes=found.values.flip(-1),
        weights=torch.ones_like(found.values),
        products=min(matrix.shape),
        probes=0,
        deflated=0,
    )


def of_spectrum(found: Spectrum, measure: Callable[[Spectrum], Tensor]) -> Estimate:
    """A measure of a spectrum as an estimate without chance."""
    value = measure(found).item()
    slack = 2 * relative_error(found.values, found.error).item()
    return Estimate(value, 0.0, value * (1 - slack), value * (1 + slack))


def _check(largest: Tensor, budget: int) -> None:
    if not largest.isfinite():
        raise InputError("the matrix holds NaN or Inf", remedy="skip the step")
    if budget < LEAST:
        raise InputError(f"{budget} products are too few", remedy=f"allow at least {LEAST}")
