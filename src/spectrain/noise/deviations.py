"""Deviations: the inner products of replicas that orthogonally invariant statistics are made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.moments import Moments, weighted


@dataclass(frozen=True, slots=True)
class Deviations:
    """Inner products of the deviations e_r = g_r − ḡ of R replicas.

    Signal, noise and every leave-one-out value of them follow from these R² + R + 1 numbers. They
    add over blocks: the sum is the deviations of the concatenated gradient.

    Attributes:
        weights: w_r, as in :class:`~spectrain.noise.Moments`.
        mean_square: ‖ḡ‖².
        projections: ⟨e_r, ḡ⟩.
        products: ⟨e_r, e_s⟩; NaN off the diagonal where a pair was not held at one time.
        entries: number of entries of a replica.
    """

    weights: Float[Tensor, " replicas"]
    mean_square: Float[Tensor, ""]
    projections: Float[Tensor, " replicas"]
    products: Float[Tensor, "replicas replicas"]
    entries: int

    def __add__(self, other: Deviations) -> Deviations:
        """Of two blocks seen by the same replicas, taken as one."""
        if not torch.equal(self.weights, other.weights):
            raise InputError("the blocks saw different replicas", remedy="add blocks of one pass")
        return Deviations(
            self.weights,
            self.mean_square + other.mean_square,
            self.projections + other.projections,
            self.products + other.products,
            self.entries + other.entries,
        )

    @property
    def count(self) -> int:
        """Number R of replicas."""
        return self.weights.numel()

    @property
    def weight(self) -> Float[Tensor, ""]:
        """Total weight W."""
        return self.weights.sum()

    @property
    def variance(self) -> Float[Tensor, ""]:
        """Unbiased tr C at unit weight, Σw_r‖e_r‖²/(R−1)."""
        return (self.weights * self.products.diagonal()).sum() / (self.count - 1)

    @property
    def signal(self) -> Float[Tensor, ""]:
        """Unbiased ‖E g‖², ‖ḡ‖² − tr Ĉ/W."""
        return self.mean_square - self.variance / self.weight

    @property
    def finite(self) -> bool:
        """Whether every replica is finite; the products of pairs not held at one time aside."""
        parts = (self.mean_square.reshape(1), self.projections, self.products.diagonal())
        return bool(torch.cat(parts).isfinite().all())

    def leave_one_out(self) -> tuple[Float[Tensor, " replicas"], Float[Tensor, " replicas"]]:
        """Signal and variance without each replica in turn; needs three replicas.

        With c = w_r/(W − w_r): ‖ḡ₋ᵣ‖² = ‖ḡ‖² − 2c⟨e_r, ḡ⟩ + c²‖e_r‖² and D₋ᵣ = D − cW‖e_r‖².
        """
        total, squares = self.weight, self.products.diagonal()
        rest = total - self.weights
        c = self.weights / rest
        scatter = self.variance * (self.count - 1) - c * total * squares
        variance = scatter / (self.count - 2)
        mean_square = self.mean_square - 2 * c * self.projections + c.square() * squares
        return mean_square - variance / rest, variance

    def pair_variance(self) -> Float[Tensor, ""]:
        """Unbiased tr C² at unit weight, from the pairs that were held at one time.

        √(w_r w_s)⟨e_r, e_s⟩ has mean −√(w_r w_s) tr C/W and, for Gaussian noise, the variance
        tr C² ((1 − w_r/W)(1 − w_s/W) + w_r w_s/W²).
        """
        share = self.weights / self.weight
        both = share.unsqueeze(0) * share.unsqueeze(1)
        root = (self.weights.unsqueeze(0) * self.weights.unsqueeze(1)).sqrt()
        centred = root * self.products + both.sqrt() * self.variance
        scale = (1 - share).unsqueeze(0) * (1 - share).unsqueeze(1) + both
        squares = centred.square() / scale
        upper = torch.ones_like(squares, dtype=torch.bool).triu(1)
        return squares.masked_fill(~upper, torch.nan).nanmean()


class DeviationStream:
    """Deviations in a second pass over the replicas, their mean being known from a first.

    Holds the mean and the last ``window`` deviations: ``window = 1`` costs one gradient and gives
    each replica's product with its successor; ``window = R − 1`` gives all products.

    Args:
        mean: ḡ of the very replicas that will pass.
        window: number of deviations kept.

    Example:
        >>> import torch
        >>> stream = DeviationStream(torch.tensor([2.0]))
        >>> for replica in (1.0, 3.0):
        ...     stream.update(torch.tensor([replica]))
        >>> stream.result().products
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """

    def __init__(self, mean: Float[Tensor, "*shape"], *, window: int = 1) -> None:
        self.mean = mean
        self._recent: deque[Tensor] = deque(maxlen=window)
        self._weights: list[float] = []
        self._projections: list[Tensor] = []
        self._rows: list[list[Tensor]] = []

    def update(self, replica: Float[Tensor, "*shape"], *, weight: float | int = 1.0) -> None:
        """Take in the next replica."""
        deviation = replica.detach().to(self.mean.dtype) - self.mean
        self._projections.append((deviation * self.mean).sum())
        self._rows.append(
            [deviation.square().sum(), *((deviation * past).sum() for past in self._recent)]
        )
        self._weights.append(float(weight))
        self._recent.appendleft(deviation)

    def result(self) -> Deviations:
        """The deviations of all replicas that passed.

        Raises:
            InputError: none passed.
        """
        count = len(self._rows)
        if count == 0:
            raise InputError("no replica passed", remedy="update the stream first")
        products = self.mean.new_full((count, count), torch.nan)
        for index, row in enumerate(self._rows):
            for lag, value in enumerate(row):
                products[index, index - lag] = products[index - lag, index] = value
        return Deviations(
            weights=self.mean.new_tensor(self._weights),
            mean_square=self.mean.square().sum(),
            projections=torch.stack(self._projections),
            products=products,
            entries=self.mean.numel(),
        )


def deviations(
    replicas: Iterable[Float[Tensor, "*shape"]],
    summary: Moments,
    *,
    weights: Iterable[float | int] | None = None,
    window: int = 1,
) -> Deviations:
    """The deviations of replicas that can be passed over a second time.

    Args:
        replicas: the replicas that ``summary`` was made of, in any order.
        summary: their moments.
        weights: number of draws that each averages; 1 if none are given.
        window: number of deviations held at a time.

    Raises:
        InputError: there is no replica.

    Example:
        >>> import torch
        >>> from spectrain.noise import moments
        >>> g = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 0.0]])
        >>> d = deviations(g, moments(g))
        >>> d.variance.item(), round(d.signal.item(), 4)
        (4.0, 7.6667)
    """
    stream = DeviationStream(summary.mean, window=window)
    for replica, weight in weighted(replicas, weights):
        stream.update(replica, weight=weight)
    return stream.result()
