"""From the rules of probes and Ritz vectors to Σσ and the entropy, with error and bound.

Everything is in units of ‖A‖_F, so that 0 ≤ σ ≤ 1 and both forms, σ and −σ ln σ, have rules that
bound them from two sides. The quadratic form uᵀAAᵀu of a probe is known with them, and so is its
mean, since Σσ² is: its part in the scatter of the others is taken out (a control variate), which
leaves what of σ is not linear in σ², a fourteenth of the variance for a square Gaussian matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.student import t_quantile
from spectrain.matrix.lanczos import Krylov, Ritz, rules

LEVEL = 0.95
"""Coverage of the intervals."""

STEEP = 10.0
"""Singular values above e^−STEEP ‖A‖_F count for what moving them does to the entropy."""

MARGIN = 1.2
"""Largest singular value over the largest node of the first steps, at most."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Quadratic forms of k probes.

    Attributes:
        bounds: of uᵀf(AAᵀ)u by probe, for f = σ and −σ ln σ: the upper and the lower one.
        energy: uᵀAAᵀu by probe.
        starts: the probes u.
        nodes: singular values of all rules, in units of ‖A‖_F.
        weights: of the nodes; 1 in all for each probe.
        largest: node of all rules.
        steps: least number of Lanczos steps behind a rule.
    """

    bounds: Float[Tensor, "k 2 2"]
    energy: Float[Tensor, " k"]
    starts: Float[Tensor, "k d"]
    nodes: Float[Tensor, " p"]
    weights: Float[Tensor, " p"]
    largest: float
    steps: int

    def joined(self, other: Sample) -> Sample:
        """Both samples as one."""
        return Sample(
            torch.cat([self.bounds, other.bounds]),
            torch.cat([self.energy, other.energy]),
            torch.cat([self.starts, other.starts]),
            torch.cat([self.nodes, other.nodes]),
            torch.cat([self.weights, other.weights]),
            max(self.largest, other.largest),
            min(self.steps, other.steps),
        )

    def beside(self, known: Ritz, edge: float, unit: float) -> Sample:
        """The forms of the part of each probe that is orthogonal to singular vectors of A.

        f(AAᵀ) does not mix the two parts, so that the other is known and can be taken off.

        Args:
            known: all singular triples above ``edge``.
            edge: lies between the last of them and the next singular value.
            unit: ‖A‖_F.
        """
        if not len(known):
            return self
        overlap = (self.starts @ known.left.mT).double().square()
        values = known.values / unit
        rest = 1 - overlap.sum(1)
        inside = (_forms(values) @ overlap.mT).mT
        below = self.nodes < edge / unit
        weights = self.weights[below]
        return Sample(
            (self.bounds - inside[..., None]) / rest[:, None, None],
            (self.energy - overlap @ values.square()) / rest,
            self.starts,
            self.nodes[below],
            weights * (len(self.bounds) / weights.sum()),
            self.largest,
            self.steps,
        )


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value, its standard error over the probes and the bound on its error beyond chance."""

    value: float
    error: float
    bias: float


@dataclass(frozen=True, slots=True)
class Sums:
    """The nuclear norm in units of ‖A‖_F and the entropy, and the t quantile of their errors."""

    nuclear: Quantity
    entropy: Quantity
    quantile: float

    @property
    def chance(self) -> float:
        """The larger relative half width by chance of nuclear norm and effective rank."""
        return self.quantile * max(self.nuclear.error / self.nuclear.value, self.entropy.error)

    @property
    def bias(self) -> float:
        """The larger relative bound beyond chance of the two."""
        return max(self.nuclear.bias / self.nuclear.value, self.entropy.bias)


def measured(krylov: Krylov, unit: float) -> Sample:
    """The quadratic forms of the starts of a bidiagonalisation of A, with ``unit`` = ‖A‖_F."""
    nodes, weights = rules(krylov)
    nodes = nodes / unit
    bounds = (_forms(nodes) * weights).sum(-1).transpose(0, 1)
    zero = 1 - weights[:, 1].sum(-1)
    return Sample(
        bounds,
        (krylov.diagonal[:, 0].double() / unit).square(),
        krylov.left[:, 0],
        torch.cat([nodes.flatten(), torch.zeros_like(zero)]),
        torch.cat([weights.flatten(), zero]) / 2,
        nodes.max().item(),
        krylov.steps,
    )


def ritz_bounds(vectors: Ritz, unit: float) -> Float[Tensor, "p 2 2"]:
    """Bounds of qᵀf(AAᵀ)q for Ritz vectors q: the rules of one step, α = σ and β the residual.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> vectors = Ritz(torch.ones(1, 1), torch.ones(1, 1), 0.8 * one, 0.6 * one)
        >>> ritz_bounds(vectors, 1.0)[0, 0]  # 0.8 and 0.8²/√(0.8² + 0.6²)
        tensor([0.8000, 0.6400], dtype=torch.float64)
    """
    far = torch.hypot(vectors.values, vectors.residual)
    share = (vectors.values / far.clamp_min(1e-300)).square()
    upper, lower = _forms(vectors.values / unit), share * _forms(far / unit)
    return torch.stack([upper, lower], -1).transpose(0, 1)


@dataclass(frozen=True, slots=True)
class Density:
    """How σ and −σ ln σ vary over a spectrum beyond what is linear in σ².

    Attributes:
        slopes: of σ and of −σ ln σ on σ².
        covariance: of the two with that part taken out.
    """

    slopes: Float[Tensor, " 2"]
    covariance: Float[Tensor, "2 2"]

    @classmethod
    def of(cls, sample: Sample, *, below: float = math.inf) -> Density:
        """From the nodes of the probes, those ``below`` a singular value."""
        kept = sample.nodes <= below
        nodes, weights = sample.nodes[kept], sample.weights[kept]
        weights = weights / weights.sum().clamp_min(1e-300)
        table = torch.cat([nodes.square()[None], _forms(nodes)])
        table = table - table @ weights[:, None]
        covariance = (table * weights) @ table.mT
        with_energy, energy = covariance[0, 1:], covariance[0, 0].clamp_min(1e-300)
        slopes = with_energy / energy
        return cls(slopes, covariance[1:, 1:] - torch.outer(slopes, with_energy))


def totals(
    fixed: Float[Tensor, "p 2 2"], sample: Sample, dimension: int, energy: float, moved: float
) -> Sums:
    """Sums over the whole spectrum.

    The variance of a probe is known from the quadrature, too: 2d²/(d + 2) times that of f over the
    spectrum. Where the probes happen to scatter less, it takes their place; otherwise a rule that
    stops at small scatter would stop too often by luck.

    Args:
        fixed: bounds of the directions split off.
        sample: probes of the rest.
        dimension: that of the rest.
        energy: Σσ² of the rest.
        moved: bound on what rounding and deflation move the singular values by, in all.
    """
    count = len(sample.bounds)
    density = Density.of(sample)
    form = sample.bounds.mean(-1) - density.slopes * (sample.energy - energy / dimension)[:, None]
    form = fixed.sum(0).mean(-1) + dimension * form
    total, plain = form.mean(0).tolist()
    total = max(total, 1.0)  # Σσ ≥ ‖A‖_F
    surprise = plain / total  # entropy less ln Σσ
    tilts = torch.tensor([[1.0, 0.0], [1 - surprise, 1.0]], dtype=form.dtype, device=form.device)
    forms = form @ tilts.mT / total  # those of Σσ, and of the entropy to first order
    scale = 2 * dimension**2 / (dimension + 2) / total**2
    known = scale * ((tilts @ density.covariance) * tilts).sum(1)
    error = (torch.maximum(forms.var(0), known) / count).sqrt()
    norm_error, entropy_error = error[0].item() * total, error[1].item()
    tilt, turn = 1 - surprise, _turn(sample)
    rest = dimension * sample.bounds.mean(0)
    lost, entropy_lost = (
        sum(parts)
        for parts in zip(
            _slack(fixed.sum(0), tilt, 0.0), _slack(rest, tilt, max(turn, tilt)), strict=True
        )
    )
    lost += moved
    entropy_lost += max(surprise, STEEP - surprise) * moved
    return Sums(
        Quantity(total, norm_error, lost),
        Quantity(math.log(total) + surprise, entropy_error, entropy_lost / total),
        t_quantile(LEVEL, count - 1),
    )


def _slack(bounds: Float[Tensor, "2 2"], tilt: float, log_scale: float) -> tuple[float, float]:
    """Half widths of Σσ and of Σ(tilt·σ − σ ln σ), to which the entropy is proportional.

    Rules bound −σ ln(σ/c) for c = e^log_scale; what differs from it is a multiple of σ.
    """
    width = (bounds[:, 0] - bounds[:, 1]) / 2
    norm = abs(width[0].item())
    return norm, abs(width[1].item() + log_scale * width[0].item()) + abs(tilt - log_scale) * norm


def _turn(sample: Sample) -> float:
    """The smallest ln c for which q steps still bound −σ ln(σ/c) from two sides.

    The derivative of order 2q in λ = σ² keeps its sign where ln(λ/c²) ≤ Σ_{j<2q} 1/(j − ½) − 2.
    """
    largest = MARGIN * sample.largest
    reach = sum(1 / (j - 0.5) for j in range(1, 2 * sample.steps)) - 2
    return math.log(max(largest, 1e-300)) - reach / 2


def _forms(values: Tensor) -> Tensor:
    """σ and −σ ln σ, stacked in front."""
    return torch.stack([values, torch.special.entr(values)])
