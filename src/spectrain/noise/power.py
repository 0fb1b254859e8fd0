"""Energies of replicas: what is left of their moments once the mean itself is let go."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Power:
    """‖ḡ‖² and scatter D as in :class:`~spectrain.noise.Moments`, without a tensor of their size.

    Enough for every scalar measure but those of single entries. Energies add over blocks that saw
    the same replicas: the sum is the energy of the concatenated gradient.

    Attributes:
        count: number R of replicas.
        weight: their total weight W.
        mean_square: ‖ḡ‖².
        scatter: D = Σw_r‖g_r − ḡ‖².
        entries: number of entries of a replica.
    """

    count: int
    weight: float
    mean_square: Float[Tensor, ""]
    scatter: Float[Tensor, ""]
    entries: int

    def __add__(self, other: Power) -> Power:
        """Of two blocks, taken as one.

        Raises:
            InputError: they are of different replicas.

        Example:
            >>> import torch
            >>> one = Power(2, 2.0, torch.tensor(1.0), torch.tensor(2.0), entries=3)
            >>> (one + one).variance.item()
            4.0
        """
        if (self.count, self.weight) != (other.count, other.weight):
            raise InputError("the blocks saw different replicas", remedy="add blocks of one step")
        return Power(
            self.count,
            self.weight,
            self.mean_square + other.mean_square,
            self.scatter + other.scatter,
            self.entries + other.entries,
        )

    @property
    def variance(self) -> Float[Tensor, ""]:
        """Unbiased tr C at unit weight, D/(R−1); NaN for a single replica."""
        return self.scatter / (self.count - 1) if self.count > 1 else self.scatter * torch.nan

    @property
    def replica_variance(self) -> Float[Tensor, ""]:
        """The same for a replica of average weight: tr C·R/W."""
        return self.variance * (self.count / self.weight)

    @property
    def signal(self) -> Float[Tensor, ""]:
        """Unbiased ‖E g‖² = ‖ḡ‖² − tr Ĉ/W; below 0 by chance where there is no signal."""
        return self.mean_square - self.variance / self.weight
