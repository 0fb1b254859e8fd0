"""One step against its guarantee: layered networks, norm gains, cross-entropy; the criterion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import grad

from spectrain.descent import Curvature, hessian_constants, natural_steps
from spectrain.matrix import Spectrum, diagonal_spectrum, polar, spectrum
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import KINDS, fixed_weights, gaussian, normal
from spectrain_studies.descent.layered.experiment import (
    LOSSES,
    SMOOTH,
    Network,
    quadratic_form,
)
from spectrain_studies.frame import Experiment, Outcome

CLASSES = 10

ENOUGH = 1e-7
"""Relative decrease below which round-off shows, and a course ends."""

Problem = tuple[Tensor, Callable[[Tensor], Tensor], Curvature, Callable[[Tensor], Spectrum]]
"""Start, loss, curvature, and the spectrum of a gradient."""


@dataclass(frozen=True)
class Stepped:
    """A network whose natural steps are taken in its quadratic model."""

    network: Network


def run_stepped(case: Stepped) -> Outcome:
    """Decrease of the quadratic model over its guarantee, (4.14) and (4.15).

    ``euclidean`` steps on all blocks; ``spectral`` on all; ``mixed`` spectral on inner blocks only.
    C_F and C_op of (4.5) are safe by orders of magnitude, and with them any step would gain twice
    its guarantee. Both are scaled down by the share κ that the curvature along the step is of the
    right side of (4.4): the step is then 1/κ times as long, in the same direction.
    """
    network = case.network
    weights, inputs, targets = network.draw()
    values = network.preactivations(weights, inputs)
    before = [inputs, *(SMOOTH[network.activation].value(x) for x in values[:-1])]
    feature, parameter = hessian_constants(network.bounds(weights, values[-1], targets))
    loss = network.loss_of(inputs, targets)
    gradients = grad(loss, argnums=tuple(range(len(weights))))(*weights)
    steps = [
        natural_steps(spectrum(g), _curvature(a, feature, parameter))
        for g, a in zip(gradients, before, strict=True)
    ]
    last = len(weights) - 1
    chosen = {
        "euclidean": [False] * len(weights),
        "spectral": [True] * len(weights),
        "mixed": [0 < place < last for place in range(len(weights))],
    }
    told = {}
    for name, spectral in chosen.items():
        moves = tuple(
            -(s.spectral_length * polar(g).factor if flag else s.euclidean_rate * g)
            for g, s, flag in zip(gradients, steps, spectral, strict=True)
        )
        guaranteed = sum(
            (s.spectral_decrease if flag else s.euclidean_decrease).item()
            for s, flag in zip(steps, spectral, strict=True)
        )
        linear = sum((g * d).sum().item() for g, d in zip(gradients, moves, strict=True))
        allowed = sum(
            feature * (d @ a).square().sum().item()
            + parameter * torch.linalg.matrix_norm(d, 2).square().item()
            for d, a in zip(moves, before, strict=True)
        )
        curved = quadratic_form(loss, weights, moves)
        told[name] = -(linear + curved / (2 * abs(curved) / allowed)) / guaranteed
    return told


def _curvature(features: Tensor, scale: float, parameter: float = 0.0) -> Curvature:
    """L_F, L_op of C_F‖UA‖_F², and C_op."""
    top = torch.linalg.matrix_norm(features, 2).square()
    constant = torch.tensor(parameter, dtype=features.dtype)
    return Curvature(scale * top, scale * features.square().sum(), constant)


def _stepped(config: Config) -> Sequence[Stepped]:
    layered = config.theory.layered
    sizes = layered.width, layered.samples[0]
    return [
        Stepped(Network(name, loss, depth, *sizes, 1.0, 0, 0, seed))
        for name in SMOOTH
        for loss in LOSSES
        for depth in (layered.depths[0], layered.depths[-1])
        for seed in range(layered.seeds)
    ]


@dataclass(frozen=True)
class Descending:
    """Gradient descent on a convex problem, off whose iterates both steps are tried.

    Attributes:
        problem: ``cross-entropy``, or ``gain``, ‖diag(γ)A − Y‖_F²/2n.
        kind: of the inputs.
        features: ``relu`` of them, whose stable rank is low; or ``bare``, the inputs themselves.
        steps: of gradient descent.
        seed: of the draws.
    """

    problem: str
    kind: str
    features: str
    steps: int
    seed: int


def run_descending(case: Descending) -> Outcome:
    """Decreases of both steps over their guarantees, and ρ = nr(G)/st(A), at every iterate."""
    generator = torch.Generator().manual_seed(case.seed)
    a = fixed_weights(case.kind, 48, 96, generator)
    if case.features == "relu":
        a = (gaussian(len(a), len(a), generator) @ a).relu()
    problem = _cross_entropy if case.problem == "cross-entropy" else _gain
    start, loss, curvature, wrap = problem(a, generator)
    slope, weights = grad(loss), start
    euclidean, spectral, ratio = [], [], []
    for _ in range(case.steps):
        g = slope(weights)
        steps = natural_steps(wrap(g), curvature)
        factor = g.sign() if g.ndim == 1 else polar(g).factor
        here, next_weights = loss(weights), weights - steps.euclidean_rate * g
        gains = here - loss(next_weights), here - loss(weights - steps.spectral_length * factor)
        if min(gains) < ENOUGH * here:
            break
        euclidean.append((gains[0] / steps.euclidean_decrease).item())
        spectral.append((gains[1] / steps.spectral_decrease).item())
        ratio.append(steps.ratio.item())
        weights = next_weights
    return {
        "euclidean": np.array(euclidean),
        "spectral": np.array(spectral),
        "ratio": np.array(ratio),
    }


def _cross_entropy(a: Tensor, generator: torch.Generator) -> Problem:
    """Mean cross-entropy; ∇f is Lipschitz with 1/(2n)."""
    labels = torch.randint(CLASSES, (a.shape[1],), generator=generator)
    start = torch.zeros(CLASSES, len(a), dtype=a.dtype)

    def loss(w: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy((w @ a).mT, labels)

    return start, loss, _curvature(a, 0.5 / a.shape[1]), spectrum


def _gain(a: Tensor, generator: torch.Generator) -> Problem:
    """Least squares over the gain of a norm."""
    targets = normal(generator, *a.shape) + a
    n = a.shape[1]

    def loss(gamma: Tensor) -> Tensor:
        return (gamma.unsqueeze(1) * a - targets).square().sum() / (2 * n)

    return torch.zeros(len(a), dtype=a.dtype), loss, _curvature(a, 1 / n), diagonal_spectrum


def _descending(config: Config) -> Sequence[Descending]:
    layered = config.theory.layered
    return [
        Descending(problem, kind, features, layered.steps, seed)
        for problem, features in (
            ("cross-entropy", "relu"),
            ("cross-entropy", "bare"),
            ("gain", "bare"),
        )
        for kind in KINDS
        for seed in range(layered.seeds)
    ]


@dataclass(frozen=True)
class Algebra:
    """Random scalars and small matrices on which inequalities are tried."""

    draws: int
    seed: int


def run_algebra(case: Algebra) -> Outcome:
    """Conditions (4.16) to (4.18) as flags, and Lemmas G.1 and G.2 as ratios of their sides."""
    rng = np.random.default_rng(case.seed)
    size = 100 * case.draws
    nuclear, stable = np.exp(rng.normal(1, 1, (2, size)))
    nuclear = 1 + nuclear
    gradient = 1 + rng.random(size) * (nuclear - 1)  # 1 ≤ st(G) ≤ nr(G)
    alpha = np.exp(rng.normal(0, 3, size))
    generator = torch.Generator().manual_seed(case.seed)
    shapes = rng.integers(1, 7, (case.draws, 2))
    return {
        "sufficient": nuclear >= stable,
        "with_nuclear": nuclear * (1 + alpha / nuclear) >= stable + alpha,
        "exact": nuclear >= (stable + alpha) / (1 + alpha / gradient),
        "blocked": min(_blocked(int(q), int(q + e), generator) for q, e in shapes),
        "weighted": min(_weighted(int(m), int(m + e), generator) for m, e in shapes),
    }


def _heavy(*shape: int, generator: torch.Generator) -> Tensor:
    """Normal entries times scales of many orders."""
    draws = normal(generator, 2, *shape)
    return draws[0] * (2 * draws[1]).exp()


def _blocked(rows: int, columns: int, generator: torch.Generator) -> float:
    """σ_q(M)(1 + ‖z‖/|a|)/min(|a|, σ_{q−1}(D)) of M = [a zᵀ; 0 D], at least 1 by Lemma G.1."""
    a, z = _heavy(1, generator=generator), _heavy(columns, generator=generator)
    d = _heavy(rows, columns, generator=generator)
    zeros = torch.zeros(rows, 1, dtype=torch.float64)
    m = torch.cat([torch.cat([a, z])[None], torch.cat([zeros, d], 1)])
    smallest = torch.linalg.svdvals(m)[-1]
    inner = torch.minimum(a.abs()[0], torch.linalg.svdvals(d)[-1])
    return float(smallest * (1 + z.norm() / a.abs()[0]) / inner)


def _weighted(rows: int, columns: int, generator: torch.Generator) -> float:
    """‖M Diag(v)‖_*/(min_P|v_i|·‖M_P‖_*) for the better half P of v, at least 1 by Lemma G.2."""
    m, v = _heavy(rows, columns, generator=generator), _heavy(columns, generator=generator)
    chosen = v.abs().argsort(descending=True)[: (columns + 1) // 2]
    part = v.abs()[chosen].min() * torch.linalg.svdvals(m[:, chosen]).sum()
    return float(torch.linalg.svdvals(m * v).sum() / part)


def _algebra(config: Config) -> Sequence[Algebra]:
    layered = config.theory.layered
    return [Algebra(layered.draws, seed) for seed in range(layered.seeds)]


STEPPED: Experiment[Config] = Experiment("layered-steps", run_stepped, _stepped)
DESCENDING: Experiment[Config] = Experiment("convex-steps", run_descending, _descending)
ALGEBRA: Experiment[Config] = Experiment("algebra", run_algebra, _algebra)
