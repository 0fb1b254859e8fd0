"""Wide activations: the leading directions of A Aᵀ instead of A Aᵀ.

The first forward pass of a step gives a basis Q of its leading left singular vectors, by a block
Krylov method whose starts are the directions found in the sample before. All passes of the step
then add their part of Y = A AᵀQ, two products with eight vectors. ‖A‖_F² is summed exactly; ‖A‖_op²
is the largest eigenvalue of Y(QᵀY)⁻¹Yᵀ, a lower bound above the Ritz values of QᵀY (Gittens &
Mahoney 2016, §1), and comes with the bound from their residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix.lanczos import begin, extend, krylov_triples, no_triples, ritz_mixing

WIDE = 256
"""Activations with more features are sketched; below, the Gram matrix costs no more."""

KEPT = 8
"""Leading directions that are followed through a step and into the next sample."""

SAMPLED = 64
"""Columns that are kept as they are, at most."""

STARTS, MOST_STEPS, FIRST_STEPS = 4, 12, 2
"""Starts of the Krylov method, and its steps at most and at first."""

TINY = 1e-6
"""Share of the largest value that is rounding of float32."""

RTOL = 1e-3
"""Relative error of ‖A‖_op² at which the Krylov method stops."""


@dataclass(slots=True)
class Leading:
    """The part of A Aᵀ in a basis of its leading directions, over the passes of one step.

    Attributes:
        basis: Q, orthonormal rows.
        image: Y = A AᵀQ, as rows.
        channels: the energy of each feature, float64.
        sample: evenly spaced columns of the first pass, as rows.
    """

    basis: Float[Tensor, "k d"]
    image: Float[Tensor, "k d"]
    channels: Float[Tensor, " d"]
    sample: Float[Tensor, "s d"]

    @classmethod
    def of(cls, activation: Float[Tensor, "n d"], warm: Float[Tensor, "k d"] | None) -> Leading:
        """From the first forward pass; ``warm`` are directions to start from.

        Example:
            >>> a = torch.zeros(5, 600)
            >>> a[:, 1], a[:, 3] = 2.0, 1.0
            >>> operator, error = Leading.of(a, None).operator()
            >>> round(operator.item(), 3)  # ‖A‖_op² = 5·(2² + 1²)
            25.0
        """
        work = _precise(activation)
        basis = _leading(work, warm)
        nothing = work.new_zeros(work.shape[1], dtype=torch.float64)
        sample = work[:: -(-len(work) // SAMPLED) or 1].clone()
        return cls(basis, basis.new_zeros(basis.shape), nothing, sample).grown(work)

    def grown(self, activation: Float[Tensor, "n d"]) -> Leading:
        """With the columns of one more pass."""
        work = _precise(activation)
        image = (self.basis @ work.mT) @ work
        channels = self.channels + torch.linalg.vector_norm(work, dim=0).double().square()
        return Leading(self.basis, self.image + image, channels, self.sample)

    @property
    def energy(self) -> Float[Tensor, ""]:
        """‖A‖_F²."""
        return self.channels.sum()

    def operator(self) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """‖A‖_op² and a bound on its error, both in float64; NaN where A is not finite."""
        basis, image = self.basis.double(), self.image.double()
        inside = basis @ image.mT
        if not bool(inside.isfinite().all()):
            return inside.sum() * torch.nan, inside.sum() * torch.nan
        values, mixing = torch.linalg.eigh((inside + inside.mT) / 2)
        top = mixing[:, -1]
        residual = torch.linalg.vector_norm(top @ image - values[-1] * (top @ basis))
        gap = (values[-1] - values[-2]).clamp_min(1e-300) if len(values) > 1 else residual
        bound = values[-1] + torch.minimum(residual, residual.square() / gap)
        kept = values > TINY * values[-1]
        weights = mixing[:, kept] / values[kept].sqrt()
        if not weights.shape[1]:
            return values[-1].clamp_min(0), bound.clamp_min(0)
        largest = torch.linalg.eigvalsh(weights.mT @ (image @ image.mT) @ weights)[-1]
        return largest, (bound - largest).clamp_min(TINY * largest)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(one.nbytes for one in (self.basis, self.image, self.channels, self.sample))


def _leading(work: Float[Tensor, "n d"], warm: Float[Tensor, "k d"] | None) -> Tensor:
    """Leading right singular vectors of ``work`` as rows."""
    features = work.mT
    scale = torch.linalg.vector_norm(work)
    generator = torch.Generator(work.device).manual_seed(0)
    starts = torch.randn(
        STARTS, len(features), generator=generator, device=work.device, dtype=work.dtype
    )
    if warm is not None:
        followed = min(len(warm), STARTS - 1)  # the last stays random, for what is new
        starts[:followed] = warm[:followed]
    starts = torch.linalg.qr(starts.mT).Q.mT.contiguous()
    floor = torch.finfo(work.dtype).eps * scale.item()
    if not 0 < floor < torch.inf:
        return starts
    krylov = begin(starts, len(work))
    steps = FIRST_STEPS
    while True:
        krylov = extend(features, krylov, steps, removed=no_triples(features), floor=floor)
        _, mixing = ritz_mixing(krylov)
        triples = krylov_triples(krylov, mixing[:, :KEPT])
        energies = triples.values.square()
        residual = triples.residual[0] * triples.values[0]
        gap = (energies[0] - energies[1:2].sum()).clamp_min(1e-300)
        error = torch.minimum(residual, residual.square() / gap)
        if krylov.steps >= MOST_STEPS or error <= RTOL * energies[0]:
            return torch.linalg.qr(triples.left.mT).Q.mT.contiguous()
        steps = 1


def _precise(activation: Tensor) -> Tensor:
    return activation.float() if activation.dtype.itemsize < 4 else activation
