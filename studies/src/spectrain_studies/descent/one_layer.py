"""One layer of fixed weights, and any layer with a random last one: Theorems 2.6 and 2.7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain_studies.descent.activations import ACTIVATIONS, relu_second_moment
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.sampling import effective_rank
from spectrain_studies.frame import Experiment, Outcome

SLACK = 0.1
"""ε1 = ε2 at which the bounds are held against samples."""

FINE = 0.01
"""The same where failures of small layers are counted."""

KINDS = ("gaussian", "orthogonal", "power law", "rank 2", "repeated", "uneven")
ONE_LAYER_ACTIVATIONS = ("relu", "abs", "leaky")


def bound(activation: str, slack: float) -> float:
    """(1 + ε)/(1 − ε)² times the NSR bound of Figure 12.

    Example:
        >>> round(bound("relu", 0.1), 3)
        4.266
    """
    return (1 + slack) / (1 - slack) ** 2 * ACTIVATIONS[activation].bound(1.0)


def stable_ranks(matrices: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Stable rank of every matrix of a stack, by the smaller Gram matrix.

    Example:
        >>> stable_ranks(torch.eye(3).expand(2, 3, 3))
        tensor([3., 3.])
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    return effective_rank(matrices.mT @ matrices if tall else matrices @ matrices.mT)


def fixed_weights(
    kind: str, rows: int, inputs: int, generator: torch.Generator
) -> Float[Tensor, "m d"]:
    """Weights that no theorem may depend on.

    Args:
        kind: ``gaussian``; ``orthogonal`` columns or rows; singular values by a ``power law`` 1/i;
            ``rank 2``; one row ``repeated`` with every other replaced by noise of a tenth; or rows
            of very ``uneven`` norms.
        rows: m.
        inputs: d.
        generator: of the draws.
    """
    w = torch.randn(rows, inputs, dtype=torch.float64, generator=generator)
    u, s, vh = torch.linalg.svd(w, full_matrices=False)
    if kind == "orthogonal":
        return u @ vh
    if kind == "power law":
        return u @ torch.diag(1 / torch.arange(1, len(s) + 1, dtype=torch.float64)) @ vh
    if kind == "rank 2":
        return u[:, :2] @ vh[:2]
    if kind == "repeated":
        return w[:1] + 0.1 * w
    if kind == "uneven":
        return w * torch.randn(rows, 1, dtype=torch.float64, generator=generator).mul(2).exp()
    return w


@dataclass(frozen=True)
class OneLayer:
    """A_1 = σ(WX) with fixed W and Gaussian X, or the same of a deeper layer whose last is random.

    Attributes:
        kind: of the fixed weights.
        activation: σ.
        rows: m.
        inputs: d.
        samples: n.
        repeats: draws of what is random.
        seed: of all draws.
    """

    kind: str
    activation: str
    rows: int
    inputs: int
    samples: int
    repeats: int
    seed: int


def run_one_layer(case: OneLayer) -> Outcome:
    """Stable ranks, er(M)/π for ReLU, and the relative spread of the mean along its direction.

    ``last`` are the stable ranks of a third layer with Gaussian W_3 on the fixed layers 1 and 2.
    """
    generator = torch.Generator().manual_seed(case.seed)
    activation = ACTIVATIONS[case.activation]
    w = fixed_weights(case.kind, case.rows, case.inputs, generator)
    shape = (case.repeats, case.inputs, case.samples)
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    features = activation.apply(w @ x)
    mu = torch.from_numpy(activation.mean(w.square().sum(1).numpy()))
    second = fixed_weights(case.kind, case.rows, case.rows, generator)
    fixed = activation.apply(second @ features[0])
    shape = (case.repeats, case.rows, case.rows)
    last = activation.apply(torch.randn(shape, dtype=torch.float64, generator=generator) @ fixed)
    told = {
        "ranks": stable_ranks(features).numpy(),
        "last": stable_ranks(last).numpy(),
        "weight_rank": stable_ranks(w).item(),
        "fixed_rank": stable_ranks(fixed).item(),
        "mean_spread": (features.mean(2) @ mu / mu.square().sum()).std().item(),
    }
    if case.activation == "relu":
        told["population"] = effective_rank(relu_second_moment(w)).item() / pi
    return told


def _one_layer(config: Config) -> Sequence[OneLayer]:
    layers = config.theory.layers
    return [
        OneLayer(kind, name, layers.rows, layers.inputs, count, layers.repeats, seed)
        for kind in KINDS
        for name in ONE_LAYER_ACTIVATIONS
        for count in (layers.samples if name == "relu" else layers.samples[-1:])
        for seed in range(layers.seeds)
    ]


@dataclass(frozen=True)
class SmallLayer:
    """Many draws of a last layer of few rows, on the vertices of a simplex."""

    rows: int
    draws: int
    seed: int = 0


VERTICES = 7
COPIES = 50


def run_small_layer(case: SmallLayer) -> Outcome:
    """How often st(ReLU(WA)) exceeds the bound with ε1 = ε2 = 0.01, and still does with A copied.

    The columns of A are the vertices of a simplex. ``still`` counts the draws that exceed the bound
    when every column stands 50 times.
    """
    generator = torch.Generator().manual_seed(case.seed)
    centred = torch.eye(VERTICES, dtype=torch.float64) - 1 / VERTICES
    u, s, _ = torch.linalg.svd(centred)
    a = (u[:, :-1] * s[:-1]).mT
    limit = pi * (1 + FINE) / (1 - FINE) ** 2
    failed, still = 0, 0
    for chunk in torch.arange(case.draws).split(20_000):
        shape = (len(chunk), case.rows, VERTICES - 1)
        w = torch.randn(shape, dtype=torch.float64, generator=generator)
        bad = w[stable_ranks((w @ a).relu()) > limit]
        failed += len(bad)
        copied = (bad @ a.repeat(1, COPIES)).relu()
        still += int((stable_ranks(copied) > limit).sum())
    share = failed / case.draws
    error = sqrt(max(share * (1 - share), 1 / case.draws) / case.draws)
    return {"failed": failed, "still": still, "share": share, "error": error}


SMALL_ROWS = (16, 32, 64)


def _small_layers(config: Config) -> Sequence[SmallLayer]:
    return [SmallLayer(rows, config.theory.layers.small) for rows in SMALL_ROWS]


ONE_LAYER: Experiment[Config] = Experiment("one-layer", run_one_layer, _one_layer)
SMALL_LAYERS: Experiment[Config] = Experiment("small-layers", run_small_layer, _small_layers)
