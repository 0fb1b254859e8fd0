"""One layer of fixed weights, and any layer with a random last one: Theorems 2.6 and 2.7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import torch

from spectrain_studies.descent.activations import ACTIVATIONS, relu_second_moment
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import (
    KINDS,
    effective_rank,
    fixed_weights,
    normal,
    stable_ranks,
)
from spectrain_studies.frame import Experiment, Outcome

FINE = 0.01
"""ε1 = ε2 where failures of small layers are counted."""

ONE_LAYER_ACTIVATIONS = ("relu", "abs", "leaky")


def bound(activation: str, slack: float) -> float:
    """(1 + ε)/(1 − ε)² times the NSR bound of Figure 12.

    Example:
        >>> round(bound("relu", 0.1), 3)
        4.266
    """
    return (1 + slack) / (1 - slack) ** 2 * ACTIVATIONS[activation].bound(1.0)


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

    ``last`` are the stable ranks of a third layer with Gaussian W_3 on the fixed layers 1 and 2;
    those of the ``orthogonal`` kind are chosen such that what they hand on is the identity, which
    brings st closest to the bound.
    """
    generator = torch.Generator().manual_seed(case.seed)
    activation = ACTIVATIONS[case.activation]
    w = fixed_weights(case.kind, case.rows, case.inputs, generator)
    x = normal(generator, case.repeats, case.inputs, case.samples)
    features = activation.apply(w @ x)
    mu = torch.from_numpy(activation.mean(w.square().sum(1).numpy()))
    second = fixed_weights(case.kind, case.rows, case.rows, generator)
    fixed = activation.apply(second @ features[0])
    if case.kind == "orthogonal":
        fixed = torch.eye(case.rows, dtype=torch.float64)
    last = activation.apply(normal(generator, case.repeats, case.rows, case.rows) @ fixed)
    told = {
        "ranks": stable_ranks(features).numpy(),
        "last": stable_ranks(last).numpy(),
        "weight_rank": stable_ranks(w).item(),
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
        w = normal(generator, len(chunk), case.rows, VERTICES - 1)
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
