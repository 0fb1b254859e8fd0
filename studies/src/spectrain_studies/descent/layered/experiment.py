"""Layered networks: exact derivatives along a direction against the bounds of §4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import grad
from torch.nn import functional

from spectrain.descent import LayerBounds, hessian_constants
from spectrain.matrix import polar
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal
from spectrain_studies.frame import Experiment, Outcome

Weights = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Smooth:
    """A smooth activation, its first two derivatives and bounds on them.

    Attributes:
        value: σ.
        slope: σ′.
        curvature: σ″.
        top_slope: J_Φ = sup|σ′|.
        top_curvature: H_Φ = sup|σ″|.
    """

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]
    top_slope: float
    top_curvature: float


def _density(t: Tensor) -> Tensor:
    return (-t.square() / 2).exp() / sqrt(2 * pi)


SMOOTH = {
    "tanh": Smooth(
        torch.tanh,
        lambda t: 1 - t.tanh().square(),
        lambda t: -2 * t.tanh() * (1 - t.tanh().square()),
        1.0,
        4 / sqrt(27),
    ),
    "gelu": Smooth(
        functional.gelu,
        lambda t: torch.special.ndtr(t) + t * _density(t),
        lambda t: (2 - t.square()) * _density(t),
        (1 + erf(1)) / 2 + exp(-1) / sqrt(pi),
        sqrt(2 / pi),
    ),
}
"""Smooth activations by name."""

LOSSES = ("squared", "cross-entropy")
SCALES = (0.5, 1.0, 2.0)
"""Factors on weights of entries N(0, 1/width)."""


@dataclass(frozen=True)
class Network:
    """A fully connected network on random data.

    Attributes:
        activation: ``tanh`` or ``gelu``.
        loss: ``squared``, ‖X_L − Y‖_F²/2n, or ``cross-entropy``, the mean over columns.
        depth: L.
        width: of every layer, input and output.
        samples: n.
        scale: of the weights.
        directions: random ones, besides the gradient, its polar factors and the leading one.
        rounds: of the power iteration that finds the last.
        seed: of the draws.
    """

    activation: str
    loss: str
    depth: int
    width: int
    samples: int
    scale: float
    directions: int
    rounds: int
    seed: int

    def draw(self) -> tuple[Weights, Float[Tensor, "d n"], Float[Tensor, "d n"]]:
        """Weights, inputs, and targets: Gaussian columns, or one-hot ones for cross-entropy."""
        generator = torch.Generator().manual_seed(self.seed)
        d, n = self.width, self.samples
        weights = tuple(self.scale * gaussian(d, d, generator) for _ in range(self.depth))
        inputs, targets = normal(generator, d, n), normal(generator, d, n)
        if self.loss == "cross-entropy":
            targets = functional.one_hot(targets.argmax(0), d).double().mT
        return weights, inputs, targets

    def preactivations(self, weights: Weights, inputs: Tensor) -> list[Tensor]:
        """X_1, …, X_L with X_ℓ = W_ℓA_{ℓ−1} and A_ℓ = σ(X_ℓ)."""
        sigma = SMOOTH[self.activation].value
        found = [weights[0] @ inputs]
        for w in weights[1:]:
            found.append(w @ sigma(found[-1]))
        return found

    def outer(self, last: Tensor, targets: Tensor) -> Tensor:
        """f(X_1, …, X_L), which depends on X_L alone."""
        if self.loss == "squared":
            return (last - targets).square().sum() / (2 * self.samples)
        return -(targets * last.log_softmax(0)).sum() / self.samples

    def loss_of(self, inputs: Tensor, targets: Tensor) -> Callable[..., Tensor]:
        """The loss as a function of W_1, …, W_L."""
        return lambda *at: self.outer(self.preactivations(at, inputs)[-1], targets)

    def bounds(self, weights: Weights, last: Tensor, targets: Tensor) -> LayerBounds:
        """J_Φ, H_Φ, J_f, H_f and W_* at the weights.

        H_f is 1/n for the squared loss; ½·1/n for cross-entropy, whose diag(p) − ppᵀ has norm ½ at
        most.
        """
        smooth = SMOOTH[self.activation]
        return LayerBounds(
            self.depth,
            smooth.top_slope,
            smooth.top_curvature,
            self.outer_gradient(last, targets).norm().item(),
            (1.0 if self.loss == "squared" else 0.5) / self.samples,
            max(torch.linalg.matrix_norm(w, 2).item() for w in weights),
        )

    def outer_gradient(self, last: Tensor, targets: Tensor) -> Tensor:
        """∇f at X_L."""
        if self.loss == "squared":
            return (last - targets) / self.samples
        return (last.softmax(0) - targets) / self.samples


def columnwise_feature_constant(bounds: LayerBounds, column_slope: float) -> float:
    """C_F with the largest column of ∇f for J_f in the middle term of (4.5).

    Columns pass through an MLP apart from each other, so that Lemma 4.2 holds for each of them, and
    ⟨∇f, D²X⟩ ≤ Σ_t ‖∇f_t‖‖D²X_t‖. With max_t ‖∇f_t‖ = O(1/n) the constant is O(1/n).

    Args:
        bounds: of the network.
        column_slope: max_t ‖∇f_t‖.

    Example:
        >>> bounds = LayerBounds(2, 1.0, 1.0, 1.0, 0.0, 1.0)
        >>> columnwise_feature_constant(bounds, 1.0) == hessian_constants(bounds)[0]
        True
    """
    full, _ = hessian_constants(bounds)
    growth = 2 * (1 + 2 * bounds.map_slope**2 * bounds.weight_norm**2) ** bounds.depth
    theta = (1 + bounds.map_slope * bounds.weight_norm) ** (bounds.depth - 1)
    middle = theta * bounds.weight_norm * bounds.map_curvature * growth * bounds.depth
    return full + (column_slope - bounds.loss_slope) * middle


def run_network(case: Network) -> Outcome:
    """Both sides of (4.1), (4.2) and (4.4) along random, gradient, polar and leading directions.

    Every ratio is left side over right side, largest over directions. ``curvature`` is the largest
    |⟨Δ, ∇²L Δ⟩|/Σ‖Δ_ℓA_{ℓ−1}‖_F², ``feature`` C_F as printed and ``columnwise`` as repaired.
    """
    weights, inputs, targets = case.draw()
    values = case.preactivations(weights, inputs)
    sigma = SMOOTH[case.activation].value
    before = [inputs, *(sigma(x) for x in values[:-1])]
    bounds = case.bounds(weights, values[-1], targets)
    column_slope = case.outer_gradient(values[-1], targets).norm(dim=0).max().item()
    feature, parameter = hessian_constants(bounds)
    repaired = columnwise_feature_constant(bounds, column_slope)
    ratios: dict[str, list[float]] = {
        name: [] for name in ("first", "second", "hessian", "repaired_hessian", "curvature")
    }
    for direction in directions(case, weights, inputs, targets):
        once, twice = propagate(case, weights, direction, inputs)
        moved = [d @ a for d, a in zip(direction, before, strict=True)]
        squares = [each.square().sum().item() for each in moved]
        total = sum(squares)
        spectral = sum(torch.linalg.matrix_norm(d, 2).item() ** 2 for d in direction)
        first, second = propagation_bounds(bounds, total, spectral)
        form = abs(quadratic_form(case.loss_of(inputs, targets), weights, direction))
        reached = np.sqrt(np.cumsum([u.square().sum().item() for u in once]))
        ratios["first"].append(float((reached / (first * np.sqrt(np.cumsum(squares)))).max()))
        curved = sqrt(sum(u.square().sum().item() for u in twice))
        ratios["second"].append(curved / second if second else 0.0)
        ratios["hessian"].append(form / (feature * total + parameter * spectral))
        ratios["repaired_hessian"].append(form / (repaired * total + parameter * spectral))
        ratios["curvature"].append(form / total)
    return {
        **{name: max(found) for name, found in ratios.items()},
        "feature": feature,
        "columnwise": repaired,
        "loss_slope": bounds.loss_slope,
        "loss_curvature": bounds.loss_curvature,
    }


def propagation_bounds(bounds: LayerBounds, feature: float, spectral: float) -> tuple[float, float]:
    """Γ of (4.1), and the right side of (4.2).

    Args:
        bounds: of the network.
        feature: Σ‖Δ_ℓA_{ℓ−1}‖_F².
        spectral: Σ‖Δ_ℓ‖_op².

    Example:
        >>> propagation_bounds(LayerBounds(1, 1.0, 0.0, 0.0, 0.0, 0.0), 4.0, 9.0)  # Γ = √2, Θ = 1
        (1.4142135623730951, 16.970562748477143)
    """
    j, w = bounds.map_slope, bounds.weight_norm
    growth = sqrt(2) * (1 + 2 * j**2 * w**2) ** (bounds.depth / 2)
    theta = (1 + j * w) ** (bounds.depth - 1)
    mixed = 2 * theta * j * growth * sqrt(bounds.depth * spectral * feature)
    return growth, mixed + theta * w * bounds.map_curvature * growth**2 * bounds.depth * feature


def directions(case: Network, weights: Weights, inputs: Tensor, targets: Tensor) -> list[Weights]:
    """Random directions, the gradient, its polar factors, and the Hessian's leading eigenvector."""
    generator = torch.Generator().manual_seed(case.seed + 1)

    loss = case.loss_of(inputs, targets)
    gradient = grad(loss, argnums=tuple(range(len(weights))))(*weights)
    drawn = [tuple(normal(generator, *w.shape) for w in weights) for _ in range(case.directions)]
    leading = drawn[0]
    for _ in range(case.rounds):
        leading = hessian_product(loss, weights, leading)
        size = sqrt(sum(d.square().sum().item() for d in leading))
        leading = tuple(d / size for d in leading)
    return [*drawn, gradient, tuple(polar(g).factor for g in gradient), leading]


def propagate(
    case: Network, weights: Weights, direction: Weights, inputs: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """First and second derivatives of X_1, …, X_L along a direction, layer by layer.

    Ẋ = Δ·A + W·Ȧ and Ẍ = 2Δ·Ȧ + W·Ä, with Ȧ = σ′∘Ẋ and Ä = σ″∘Ẋ∘Ẋ + σ′∘Ẍ of the layer before.
    """
    smooth = SMOOTH[case.activation]
    a, once, twice = inputs, [], []
    moved = curved = torch.zeros_like(inputs)
    for w, delta in zip(weights, direction, strict=True):
        x, first = w @ a, delta @ a + w @ moved
        second = 2 * delta @ moved + w @ curved
        a, slope = smooth.value(x), smooth.slope(x)
        moved = slope * first
        curved = smooth.curvature(x) * first.square() + slope * second
        once.append(first)
        twice.append(second)
    return once, twice


def hessian_product(
    loss: Callable[..., Tensor], weights: Weights, direction: Weights
) -> tuple[Tensor, ...]:
    """∇²L Δ, by differentiating ⟨∇L, Δ⟩.

    Example:
        >>> hessian_product(lambda w: (w**3).sum(), (torch.ones(1),), (torch.ones(1),))
        (tensor([6.]),)
    """
    at = tuple(w.detach().requires_grad_() for w in weights)
    slopes = torch.autograd.grad(loss(*at), at, create_graph=True)
    along = torch.stack([(g * d).sum() for g, d in zip(slopes, direction, strict=True)]).sum()
    return torch.autograd.grad(along, at)


def quadratic_form(loss: Callable[..., Tensor], weights: Weights, direction: Weights) -> float:
    """⟨Δ, ∇²L Δ⟩.

    Example:
        >>> quadratic_form(lambda w: (w**3).sum(), (torch.ones(1),), (2 * torch.ones(1),))
        24.0
    """
    product = hessian_product(loss, weights, direction)
    return float(sum((h * d).sum() for h, d in zip(product, direction, strict=True)))


def _networks(config: Config) -> Sequence[Network]:
    layered = config.theory.layered
    shapes = [
        (depth, layered.samples[0], scale, layered.seeds)
        for depth in layered.depths
        for scale in SCALES
    ]
    longer = [(2, count, 1.0, layered.sample_seeds) for count in layered.samples]
    search = layered.directions, layered.rounds
    return list(
        dict.fromkeys(
            Network(activation, loss, depth, layered.width, samples, scale, *search, seed)
            for activation in SMOOTH
            for loss in LOSSES
            for depth, samples, scale, seeds in [*shapes, *longer]
            for seed in range(seeds)
        )
    )


NETWORKS: Experiment[Config] = Experiment("layered-networks", run_network, _networks)
