"""Rounds of probes: how many, how many Lanczos steps, which directions are split off.

The wanted error and the budget decide; :mod:`spectrain.matrix.sketch` explains the method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

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
from spectrain.matrix.quadrature import Density, Sample, Sums, measured, ritz_bounds, totals

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

GROWTH = 3
"""Most probes of a round, in multiples of those at hand."""


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
        """Keep the leading triples that have converged so far that the starts do not show in them.

        A Ritz vector is made of the starts, and its square overlap with one has the mean 1/d of an
        independent vector only if it is much closer than 1/√d to a singular vector, apart from all
        others: of a multiple value no more copies are seen than there are starts.
        """
        values, mixing = ritz_mixing(krylov)
        count = min(MOST_KNOWN, len(values) - 1)
        triples = krylov_triples(krylov, mixing[:, :count])
        below = values[:-1] - values[1:]
        gap = torch.minimum(below, pad(below[:-1], (1, 0), value=math.inf))[:count]
        angle = (triples.residual / gap.clamp_min(1e-300)).square().cumsum(0).sqrt()
        good = (angle < APART / math.sqrt(len(self.matrix))).nonzero().flatten()
        count = int(good[-1]) + 1 if len(good) else 0
        self.known = triples[torch.arange(count, device=values.device)]
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


@dataclass(frozen=True, slots=True)
class Probed:
    """What rounds of probes found of a matrix.

    Attributes:
        sums: nuclear norm in units of ``frobenius``, and entropy.
        frobenius: ‖A‖_F.
        largest: the largest Ritz value.
        largest_error: bound on the distance to it of a singular value of A.
        nodes: singular values at which the quadrature puts the spectrum.
        weights: how many singular values each node stands for.
        products: products with a vector that were spent.
        probes: random starts.
        deflated: Ritz vectors split off.
    """

    sums: Sums
    frobenius: float
    largest: float
    largest_error: float
    nodes: Tensor
    weights: Tensor
    products: int
    probes: int
    deflated: int


def probe_spectrum(a: Tensor, rtol: float, budget: int, generator: torch.Generator) -> Probed:
    """Probe a d × n float32 matrix, d ≤ n, until the error is met or the budget spent."""
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
    return _probed(rounds, sample, leading)


def _probed(rounds: _Rounds, sample: Sample, leading: Ritz) -> Probed:
    rest = rounds.rest(sample)
    apart = rounds.split if len(rounds.split) else rounds.known
    each = (len(rounds.matrix) - len(apart)) / len(sample.bounds)
    return Probed(
        sums=rounds.sums(sample),
        frobenius=rounds.frobenius,
        largest=leading.values[0].item(),
        largest_error=_largest_error(leading),
        nodes=torch.cat([rest.nodes * rounds.frobenius, apart.values]),
        weights=torch.cat([rest.weights * each, torch.ones_like(apart.values)]),
        products=rounds.spent,
        probes=len(sample.bounds),
        deflated=len(apart),
    )


def _largest_error(leading: Ritz) -> float:
    """Bound on the error of the largest value: its residual, or its square over the gap."""
    residual = leading.residual[0].item()
    if len(leading) < 2:
        return residual
    gap = (leading.values[0] - leading.values[1] - leading.residual[1]).item()
    return residual if gap <= residual else residual**2 / gap


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
