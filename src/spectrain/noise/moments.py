"""Moments of replicas that merge: count, mean and scatter, one replica at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.power import Power


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and scatter of independent replicas of one tensor.

    A replica of weight w is taken to be the mean of w draws, so that its covariance is C/w. Then
    ḡ = Σw_r g_r/W is the best linear mean, and D = Σw_r‖g_r − ḡ‖² has expectation (R−1) tr C:
    :attr:`variance` is unbiased for tr C whatever the weights. Weights are batch sizes where C is
    to be the covariance of one example, and 1 where it is that of one replica.

    Attributes:
        count: number R of replicas.
        weight: their total weight W.
        mean: ḡ, in the accumulator's dtype.
        scatter: D, a scalar on the device of the mean.
        entry_scatter: D entry by entry, if it was asked for.

    Source:
        Welford 1962; Chan, Golub & LeVeque 1983, eq. (2.1), for the merge.
    """

    count: int
    weight: float
    mean: Float[Tensor, "*shape"]
    scatter: Float[Tensor, ""]
    entry_scatter: Float[Tensor, "*shape"] | None = None

    @classmethod
    def of(
        cls,
        replica: Float[Tensor, "*shape"],
        *,
        weight: float | int = 1.0,
        entrywise: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> Moments:
        """The moments of a single replica.

        Args:
            replica: any shape and floating dtype.
            weight: number of draws that it averages.
            entrywise: keep the scatter of every entry too: one more tensor of this size.
            dtype: of the accumulators; float64 unless the device has none.

        Raises:
            InputError: the weight is not positive.
        """
        if not weight > 0:
            raise InputError(f"weight {weight} of a replica", remedy="pass its number of examples")
        mean = replica.detach().to(dtype, copy=True)
        entries = torch.zeros_like(mean) if entrywise else None
        return cls(1, float(weight), mean, mean.new_zeros(()), entries)

    def merge(self, other: Moments) -> Moments:
        """The moments of both together: D = D_a + D_b + (w_a w_b/W)‖ḡ_b − ḡ_a‖².

        Associative and commutative up to rounding, so replicas, microbatches and ranks merge in
        any order. No E[x²] − E[x]² occurs.

        Raises:
            InputError: the shapes differ, or only one side has entrywise scatter.

        Example:
            >>> import torch
            >>> a, b = Moments.of(torch.tensor([1.0])), Moments.of(torch.tensor([3.0]))
            >>> both = a.merge(b)
            >>> both.mean.item(), both.variance.item()
            (2.0, 2.0)
        """
        if self.mean.shape != other.mean.shape:
            raise InputError(
                f"moments of shapes {tuple(self.mean.shape)} and {tuple(other.mean.shape)}",
                remedy="merge moments of one and the same tensor",
            )
        if (self.entry_scatter is None) != (other.entry_scatter is None):
            raise InputError("only one side has entrywise scatter", remedy="ask both for it")
        weight = self.weight + other.weight
        step = other.mean - self.mean
        factor = self.weight * other.weight / weight
        entries = None
        if self.entry_scatter is not None and other.entry_scatter is not None:
            entries = self.entry_scatter + other.entry_scatter + factor * step.square()
        return Moments(
            count=self.count + other.count,
            weight=weight,
            mean=self.mean + step * (other.weight / weight),
            scatter=self.scatter + other.scatter + factor * step.square().sum(),
            entry_scatter=entries,
        )

    @property
    def power(self) -> Power:
        """The energies alone."""
        return Power(
            self.count, self.weight, self.mean.square().sum(), self.scatter, self.mean.numel()
        )

    @property
    def mean_square(self) -> Float[Tensor, ""]:
        """‖ḡ‖²."""
        return self.power.mean_square

    @property
    def entries(self) -> int:
        """Number of entries of a replica."""
        return self.mean.numel()

    @property
    def variance(self) -> Float[Tensor, ""]:
        """Unbiased tr C at unit weight, D/(R−1); NaN for a single replica."""
        return self.power.variance

    @property
    def replica_variance(self) -> Float[Tensor, ""]:
        """The same for a replica of average weight: tr C·R/W."""
        return self.power.replica_variance

    @property
    def signal(self) -> Float[Tensor, ""]:
        """Unbiased ‖E g‖² = ‖ḡ‖² − tr Ĉ/W; below 0 by chance where there is no signal."""
        return self.power.signal


def moments(
    replicas: Iterable[Float[Tensor, "*shape"]],
    *,
    weights: Iterable[float | int] | None = None,
    entrywise: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Moments:
    """The moments of a stream of replicas, of which only one is held at a time.

    Args:
        replicas: tensors of one shape, or their stack.
        weights: number of draws that each averages; 1 if none are given.
        entrywise: keep the scatter of every entry too.
        dtype: of the accumulators.

    Raises:
        InputError: there is no replica.

    Example:
        >>> import torch
        >>> moments(torch.tensor([[1.0, 0.0], [3.0, 0.0]])).mean
        tensor([2., 0.], dtype=torch.float64)
    """
    total: Moments | None = None
    for replica, weight in weighted(replicas, weights):
        one = Moments.of(replica, weight=weight, entrywise=entrywise, dtype=dtype)
        total = one if total is None else total.merge(one)
    if total is None:
        raise InputError("no replica", remedy="pass at least one")
    return total


def weighted(
    replicas: Iterable[Tensor], weights: Iterable[float | int] | None
) -> Iterator[tuple[Tensor, float]]:
    """Replicas with their weights, 1 where none are given."""
    if weights is None:
        return zip(replicas, repeat(1.0), strict=False)
    return zip(replicas, weights, strict=True)
