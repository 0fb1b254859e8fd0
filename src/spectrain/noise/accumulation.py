"""Replicas that arrive one by one and add up elsewhere, such as accumulation microbatches."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError


@dataclass(slots=True)
class ScatterStream:
    """Count, scatter and total energy of replicas whose running sum is kept elsewhere.

    Welford's recurrence D ← D + (r/(r+1))‖g − S/r‖², with S the sum of the r replicas so far, which
    gradient accumulation holds in ``.grad`` anyway: no tensor is kept, no E[x²] − E[x]² occurs.

    Attributes:
        count: number r of replicas so far.
        scatter: D = Σ‖g_r − ḡ‖² in float64.
        sum_square: ‖S‖² of all of them.

    Source:
        Welford 1962.

    Example:
        >>> import torch
        >>> stream = ScatterStream()
        >>> stream.update(torch.tensor([1.0]), None)
        >>> stream.update(torch.tensor([3.0]), torch.tensor([1.0]))
        >>> stream.scatter.item(), stream.sum_square.item()
        (2.0, 16.0)
    """

    count: int = 0
    scatter: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    sum_square: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def update(
        self, replica: Float[Tensor, "*shape"], total: Float[Tensor, "*shape"] | None
    ) -> None:
        """Take in a replica.

        Args:
            replica: g.
            total: S, the sum of the replicas before it; ``None`` before the first.

        Raises:
            InputError: there is no sum although replicas came before.
        """
        if total is None and self.count:
            raise InputError(
                f"the sum of {self.count} replicas is gone",
                remedy="zero gradients between steps only",
            )
        if self.count and total is not None:
            away = torch.sub(replica, total, alpha=1 / self.count)
            self.scatter = self.scatter + _energy(away) * (self.count / (self.count + 1))
            self.sum_square = _energy(replica + total)
        else:
            self.sum_square = _energy(replica)
            self.scatter = torch.zeros_like(self.sum_square)
        self.count += 1


class ReplicaBuffer:
    """At most ``capacity`` replicas of one tensor, however many arrive.

    When the buffer is full, neighbours are merged in pairs: each entry is then a sum of twice as
    many draws, and so are those that come later. No draw is lost; between capacity/2 and capacity
    entries remain, all but perhaps the last of equal weight.

    Args:
        capacity: even, at least 4.

    Raises:
        InputError: the capacity is odd or too small.

    Example:
        >>> import torch
        >>> buffer = ReplicaBuffer(capacity=4)
        >>> for value in range(6):
        ...     buffer.add(torch.tensor([float(value)]))
        >>> [g.item() for g in buffer.replicas()], buffer.weights
        ([0.5, 2.5, 4.5], [2.0, 2.0, 2.0])
    """

    def __init__(self, *, capacity: int = 8) -> None:
        if capacity < 4 or capacity % 2:
            raise InputError(f"capacity {capacity}", remedy="pass an even number from 4 up")
        self._capacity = capacity
        self._share = 1
        self._sums: list[Tensor] = []
        self._draws: list[int] = []

    def add(self, draw: Float[Tensor, "*shape"]) -> None:
        """Take in one draw; it is copied."""
        if self._draws and self._draws[-1] < self._share:
            self._sums[-1] += draw
            self._draws[-1] += 1
            return
        if len(self._sums) == self._capacity:
            self._merge()
        dtype = torch.promote_types(draw.dtype, torch.float32)
        self._sums.append(draw.detach().to(dtype, copy=True))
        self._draws.append(1)

    def replicas(self, *, scale: float | Tensor = 1.0) -> list[Float[Tensor, "*shape"]]:
        """The mean draw of every entry, times ``scale``."""
        return [g * (scale / draws) for g, draws in zip(self._sums, self._draws, strict=True)]

    @property
    def weights(self) -> list[float]:
        """Number of draws in each entry."""
        return [float(draws) for draws in self._draws]

    @property
    def nbytes(self) -> int:
        """Memory that the entries take."""
        return sum(g.nbytes for g in self._sums)

    def _merge(self) -> None:
        firsts, seconds = self._sums[::2], self._sums[1::2]
        self._sums = [a.add_(b) for a, b in zip(firsts, seconds, strict=True)]
        self._draws = [2 * self._share] * len(self._sums)
        self._share *= 2


def _energy(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dtype=torch.float64).square()
