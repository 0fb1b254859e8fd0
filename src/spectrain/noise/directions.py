"""Directions of one gradient over its replicas, in one pass after the mean is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.alignment import Groups, align, degenerate_groups
from spectrain.noise.coupling import Coupling, coupling
from spectrain.noise.echo import reverb
from spectrain.noise.moments import Moments, moments, weighted
from spectrain.noise.signal import SignalTest, signal_test
from spectrain.noise.triples import Triples, top_triples

TOP = 8
"""Number of directions over which plateaus are taken."""

CANDIDATES = 4
"""Further triples of a replica, among which a direction is looked for too."""

COUPLED = 4
"""Number of directions whose block is inverted: only those well above the noise will do."""


@dataclass(frozen=True, slots=True)
class Directions:
    """The k leading directions of R replicas against a reference that none of them is part of.

    Attributes:
        mean: the leading triples of the mean; ``values`` here is where the directions are.
        groups: degenerate subspaces of the mean.
        cut: the last subspace goes on beyond the k-th direction, so its angles are not its own.
        left: squared left overlaps c_L² of each replica with its reference.
        right: squared right overlaps c_R².
        values: singular values of the replicas, in the mean's order.
        agreement: ⟨T_r, T⟩ of each replica's pairs with its reference, T = ûv̂ᵀ, or ÛV̂ᵀ/√p in a
            subspace: negative where the replica's pair has the opposite sign.
        reverb: Z_ab of every direction.
        projections: UᵀG_rV in the mean's basis.
        couplings: inner products for :func:`~spectrain.noise.product_coupling` in the basis of the
            :data:`COUPLED` leading directions; empty where a reference was given.
        held_out: the references are leave-one-out means; otherwise a given one.
        test: which of the directions are more than chance, in the mean's order.
    """

    mean: Triples
    groups: Groups
    cut: bool
    left: Float[Tensor, "replicas k"]
    right: Float[Tensor, "replicas k"]
    values: Float[Tensor, "replicas k"]
    agreement: Float[Tensor, "replicas k"]
    reverb: Float[Tensor, "k replicas replicas"]
    projections: Float[Tensor, "replicas k k"]
    couplings: tuple[Coupling, ...]
    held_out: bool
    test: SignalTest

    @property
    def count(self) -> int:
        """Number R of replicas."""
        return self.left.shape[0]

    def true_overlaps(self) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
        """Mean squared overlaps (left, right) with the true directions."""
        return self.debiased(self.left.mean(0)), self.debiased(self.right.mean(0))

    def overlaps_without_each(
        self,
    ) -> tuple[Float[Tensor, "replicas k"], Float[Tensor, "replicas k"]]:
        """The same without each replica in turn, for the jackknife."""
        left, right = (_mean_without_each(x, self.held_out) for x in (self.left, self.right))
        return self.debiased(left), self.debiased(right)

    def debiased(self, overlap: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """A mean overlap with the noise of the leave-one-out references taken out."""
        return without_reference_noise(overlap, self.count) if self.held_out else overlap


def without_reference_noise(
    overlap: Float[Tensor, "*shape"], replicas: int
) -> Float[Tensor, "*shape"]:
    """Overlap with the truth, from that with the mean of the other R − 1 replicas.

    The reference deviates from the truth R − 1 times less than a replica, in another direction:
    o = x(1 − (1 − x)/(R − 1)), solved for x. To first order 1 − x = (1 − o)(R − 1)/R.

    Example:
        >>> import torch
        >>> without_reference_noise(torch.tensor([1.0, 0.9]), 5)
        tensor([1.0000, 0.9187])
    """
    rest = replicas - 2
    return ((rest**2 + 4 * (replicas - 1) * overlap).sqrt() - rest) / 2


def _mean_without_each(
    overlap: Float[Tensor, "replicas k"], held_out: bool
) -> Float[Tensor, "replicas k"]:
    """Leave-one-out means; their spread is widened where the references share replicas.

    Σ‖δ_r − δ̄‖² has R − 1 degrees of freedom, of which the spread of its R terms shows R − 2.
    """
    count = overlap.shape[0]
    mean = overlap.mean(0)
    spread = (mean - overlap) / (count - 1)
    return mean + spread * (((count - 1) / (count - 2)) ** 0.5 if held_out else 1.0)


class DirectionStream:
    """Directions in a second pass over the replicas, their mean being known from a first.

    Keeps the mean and the leading triples of every replica, not the replicas.

    Args:
        summary: moments of the very replicas that will pass.
        k: number of directions.
        reference: triples of a large-batch gradient; without it each replica is compared with the
            mean of the others.
        generator: for the random part of the Krylov blocks.

    Raises:
        InputError: the gradient is not a matrix, or is smaller than k.
    """

    def __init__(
        self,
        summary: Moments,
        *,
        k: int = TOP,
        reference: Triples | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if summary.mean.ndim != 2 or min(summary.mean.shape) < k:
            raise InputError(
                f"a gradient of shape {tuple(summary.mean.shape)} has no {k} directions",
                remedy="pass a matrix and k ≤ min(m, n)",
            )
        self.summary = summary
        self.k = k
        self.reference = reference.head(k) if reference else None
        self.generator = generator
        self._mean: Triples | None = None
        self._replicas: list[Triples] = []
        self._weights: list[float] = []
        self._references: list[Triples] = []
        self._projections: list[Tensor] = []
        self._couplings: list[Coupling] = []

    def update(self, replica: Float[Tensor, "m n"], *, weight: float | int = 1.0) -> None:
        """Take in the next replica."""
        g = replica.detach().float() if replica.dtype.itemsize < 4 else replica.detach()
        mean = self._mean = self._mean or self._top(self.summary.mean.to(g.dtype), None)
        self._replicas.append(self._top(g, mean))
        self._weights.append(weight)
        if self.reference is None and self.summary.count > 1:
            total = self.summary.weight
            others = ((self.summary.mean * total - g * weight) / (total - weight)).to(g.dtype)
            reference = self._top(others, mean)
            self._references.append(reference)
            self._couplings.append(coupling(g, others, reference.head(min(COUPLED, self.k))))
        self._projections.append(mean.left.mT @ g @ mean.right)

    def result(self) -> Directions:
        """The directions of all replicas that passed.

        Raises:
            InputError: fewer than 2 passed, or not as many as the mean is made of.
        """
        count = len(self._replicas)
        if self._mean is None or count < 2 or count != self.summary.count:
            raise InputError(
                f"{count} replicas passed, the mean is of {self.summary.count}",
                remedy="pass all of at least two replicas a second time",
            )
        projections = torch.stack(self._projections)
        every = degenerate_groups(self._mean.values, _perturbation(self._mean, projections))
        groups = tuple((a, min(b, self.k)) for a, b in every if a < self.k)
        mean = self._mean.head(self.k)
        truth = align(self.reference, mean, groups=groups).triples if self.reference else None
        aligned, agreement = [], []
        for index, replica in enumerate(self._replicas):
            target = truth or align(self._references[index], mean, groups=groups).triples
            aligned.append(align(replica, target, groups=groups))
            agreement.append(_agreement(aligned[-1].triples, target, groups))
        overlaps = [one.overlaps() for one in aligned]
        return Directions(
            mean=mean,
            groups=groups,
            cut=any(a < self.k < b for a, b in every),
            left=torch.stack([left for left, _ in overlaps]).double(),
            right=torch.stack([right for _, right in overlaps]).double(),
            values=torch.stack([one.triples.values for one in aligned]).double(),
            agreement=torch.stack(agreement).double(),
            reverb=reverb(
                torch.stack([one.triples.left for one in aligned]),
                torch.stack([one.triples.right for one in aligned]),
                groups=groups,
            ).double(),
            projections=projections[:, : self.k, : self.k].double(),
            couplings=tuple(self._couplings),
            held_out=truth is None,
            test=self._test(mean),
        )

    def _test(self, mean: Triples) -> SignalTest:
        """The test of signal directions, each moved to where the mean has it."""
        tested = signal_test(
            self._replicas, k=self.k, weights=self._weights, generator=self.generator
        )
        same = align(tested.directions.to(mean.left.dtype), mean)
        return SignalTest(same.triples, tested.statistic[same.order], tested.p[same.order])

    def _top(self, matrix: Tensor, start: Triples | None) -> Triples:
        extra = min(CANDIDATES, min(matrix.shape) - self.k)
        return top_triples(matrix, self.k, extra=extra, start=start, generator=self.generator)


def directions(
    replicas: Iterable[Float[Tensor, "m n"]],
    *,
    k: int = TOP,
    summary: Moments | None = None,
    weights: Iterable[float | int] | None = None,
    reference: Triples | None = None,
    generator: torch.Generator | None = None,
) -> Directions:
    """The leading directions of replicas that can be passed over twice.

    Args:
        replicas: a stack, a list, or anything that gives the same replicas on each pass.
        k: number of directions.
        summary: their moments, if already known: then one pass is enough.
        weights: number of draws that each replica averages; 1 if none are given.
        reference: triples of a large-batch gradient; without it each replica is compared with the
            mean of the others.
        generator: for the random part of the Krylov blocks.

    Example:
        >>> import torch
        >>> noise = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(0))
        >>> signal = torch.zeros(20, 30).index_put((torch.arange(2),) * 2, torch.tensor([90., 60.]))
        >>> leading = directions(signal + noise, k=2)
        >>> bool((leading.left > 0.95).all()), leading.groups
        (True, ((0, 1), (1, 2)))
    """
    weights = None if weights is None else list(weights)
    summary = summary or moments(replicas, weights=weights)
    stream = DirectionStream(summary, k=k, reference=reference, generator=generator)
    for replica, weight in weighted(replicas, weights):
        stream.update(replica, weight=weight)
    return stream.result()


def _agreement(replica: Triples, reference: Triples, groups: Groups) -> Float[Tensor, " k"]:
    """Inner products of aligned pairs; of a subspace, that of the whole for each member."""
    parts = []
    for a, b in groups:
        left = replica.left[:, a:b].mT @ reference.left[:, a:b]
        right = replica.right[:, a:b].mT @ reference.right[:, a:b]
        parts.append(((left * right).sum() / (b - a)).expand(b - a))
    return torch.cat(parts)


def _perturbation(
    mean: Triples, projections: Float[Tensor, "replicas q q"]
) -> Float[Tensor, " gaps"]:
    """Gap below which neighbours i, j count as one subspace.

    To first order a replica's left vectors turn by (σ_iΔ_ji + σ_jΔ_ij)/(σ_i² − σ_j²), the right
    ones by the same with Δ transposed: p is the gap at which the larger of the two, root mean
    square over replicas, is one radian. Two equal values come apart by chance in the mean, by less
    than √(8 ln 20) p/√R in 95 % of cases (a Rayleigh law): few replicas must keep that distance.
    """
    delta = projections - projections.mean(0)
    count = max(projections.shape[0] - 1, 1)
    s = mean.values
    upper, lower = delta.diagonal(1, -2, -1), delta.diagonal(-1, -2, -1)
    left = (s[:-1] * lower + s[1:] * upper).square().sum(0) / count
    right = (s[:-1] * upper + s[1:] * lower).square().sum(0) / count
    total = s[:-1] + s[1:]
    one_radian = torch.maximum(left, right).sqrt() / torch.where(total == 0, 1.0, total)
    return one_radian * max(1.0, math.sqrt(8 * math.log(20) / (count + 1)))
