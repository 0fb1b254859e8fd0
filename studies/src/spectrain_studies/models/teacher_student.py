"""A linear student that learns a linear teacher from noisy mini-batches, many runs at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core import InputError


@dataclass(frozen=True, slots=True, eq=False)
class TeacherStudent:
    """W ← W + α ⟨(W_t − W)xxᵀ + a⟩_B, x ~ N(0, 1), a symmetric noise.

    The gradient of ½|W_t x − Wx|² with noise a of the Gaussian orthogonal ensemble: deviation ε
    off the diagonal and √2 ε on it, drawn anew for every sample and every run.

    Attributes:
        teacher: W_t, square.
        noise: ε; the document's A = ε².

    Raises:
        InputError: the noise is negative.

    Source: Aarts, Lucini & Park, arXiv:2407.16427, teacher-student model.

    Example:
        >>> model = TeacherStudent(2 * torch.eye(2, dtype=torch.float64), noise=0.1)
        >>> model.drift(torch.tensor([0.5, 2.0]), 2.0)
        tensor([1.5000, 0.0000])
        >>> round(model.width(rate=0.1, batch=16), 5)  # √(αA/2B(1 − α/2)), off the diagonal
        0.00574
    """

    teacher: Float[Tensor, "n n"]
    noise: float

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise InputError(f"noise is {self.noise}", remedy="pass zero or a positive number")

    @staticmethod
    def drift(
        values: Float[Tensor, "*levels"], target: float | Float[Tensor, "*levels"]
    ) -> Float[Tensor, "*levels"]:
        """Mean change of a singular value per unit of α: target − value, in the teacher's basis."""
        return target - values

    def width(self, *, rate: float, batch: int) -> float:
        """Deviation s of W off the diagonal at rest, to first order in the noise.

        The autoregression δ ← (1 − α)δ + αε/√|B| ζ has s² = αε²/(2|B|(1 − α/2)). Two equal levels
        then lie ⟨S⟩ = √(2π) s apart.
        """
        return float((rate * self.noise**2 / (2 * batch * (1 - rate / 2))) ** 0.5)

    def train(
        self,
        students: Float[Tensor, "runs n n"],
        *,
        rate: float,
        batch: int,
        updates: int,
        generator: torch.Generator,
        data: Float[Tensor, "samples n"] | None = None,
    ) -> Float[Tensor, "runs n n"]:
        """The students after some updates.

        Args:
            students: W at the start; not changed.
            rate: α.
            batch: |B|.
            updates: number of updates.
            generator: source of samples and noise.
            data: inputs to draw from; fresh normal ones if not given.

        Raises:
            InputError: a setting is out of range.
        """
        if not rate >= 0 or batch < 1 or updates < 0:
            raise InputError(
                f"rate is {rate}, batch {batch}, updates {updates}",
                remedy="pass a rate ≥ 0, a batch ≥ 1 and updates ≥ 0",
            )
        current, count = students.clone(), len(students)
        for _ in range(updates):
            if data is None:
                x = current.new_empty(count, batch, len(self.teacher)).normal_(generator=generator)
            else:
                x = data[torch.randint(len(data), (count, batch), generator=generator)]
            kick = torch.empty_like(current).normal_(generator=generator)
            kick = (kick + kick.mT) * (self.noise * (2 * batch) ** -0.5)
            current = current + rate * ((self.teacher - current) @ (x.mT @ x / batch) + kick)
        return current
