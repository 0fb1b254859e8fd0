"""J_Φ of attention: the largest derivative of V·softmax(KᵀQ/√d) in Q, K and V."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vjp

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal, rms_norm
from spectrain_studies.frame import Experiment, Outcome

ROUNDS = 40

Columns = tuple[Float[Tensor, "d n"], Float[Tensor, "d n"], Float[Tensor, "d n"]]


def attend(
    query: Float[Tensor, "d n"], key: Float[Tensor, "d n"], value: Float[Tensor, "d n"]
) -> Float[Tensor, "d n"]:
    """H = V·softmax(d^(−½)KᵀQ), the softmax by columns.

    Example:
        >>> zero = torch.zeros(2, 2)
        >>> attend(zero, zero, torch.eye(2))
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]])
    """
    scores: Tensor = key.mT @ query / sqrt(query.shape[0])
    return value @ scores.softmax(dim=0)


def moved_output(at: Columns, direction: Columns) -> Float[Tensor, "d n"]:
    """Derivative of H: V̇P + V·Ṗ, ṗ = p∘(ṡ − pᵀṡ) by columns, Ṡ = d^(−½)(K̇ᵀQ + KᵀQ̇).

    Args:
        at: Q, K and V.
        direction: their derivatives.
    """
    query, key, value = at
    scale = sqrt(query.shape[0])
    p = (key.mT @ query / scale).softmax(dim=0)
    scores = (direction[1].mT @ query + key.mT @ direction[0]) / scale
    return direction[2] @ p + value @ (p * (scores - (p * scores).sum(0)))


def torn_between_two(
    size: int,
) -> tuple[Float[Tensor, "d n"], tuple[Tensor, Tensor, Tensor]]:
    """Normalised columns and W_Q, W_K, W_V of operator norm 1 whose attention moves as √(dn)/2.

    All but two columns ask, and attend to the first two in equal parts: tilting the two keys apart
    moves every output along their difference, of length √(2d).

    Example:
        >>> a, weights = torn_between_two(8)
        >>> [round(torch.linalg.matrix_norm(w, 2).item(), 6) for w in weights]
        [1.0, 1.0, 1.0]
    """
    identity = torch.eye(size, dtype=torch.float64)
    places = torch.tensor([0, 1] + [2] * (size - 2))
    query = torch.outer(identity[3], identity[2])
    key = torch.outer(identity[3], (identity[0] + identity[1]) / sqrt(2))
    return sqrt(size) * identity[:, places], (query, key, identity)


@dataclass(frozen=True)
class Attention:
    """Attention of as many tokens as dimensions.

    Attributes:
        kind: ``gaussian`` weights and inputs, or ``torn`` between two tokens.
        size: d = n.
        seed: of the draws.
    """

    kind: str
    size: int
    seed: int


def run_attention(case: Attention) -> Outcome:
    """J_Φ by power iteration, and the largest operator norm of W_Q, W_K, W_V."""
    generator = torch.Generator().manual_seed(case.seed)
    if case.kind == "torn":
        a, weights = torn_between_two(case.size)
    else:
        a = rms_norm(normal(generator, case.size, case.size))
        query, key, value = (gaussian(case.size, case.size, generator) for _ in range(3))
        weights = query, key, value
    at = (weights[0] @ a, weights[1] @ a, weights[2] @ a)
    u = [normal(generator, *x.shape) for x in at]
    slope = 0.0
    for _ in range(ROUNDS):
        size = sqrt(sum(x.square().sum().item() for x in u))
        moved = moved_output(at, (u[0] / size, u[1] / size, u[2] / size))
        slope = moved.norm().item()
        u = vjp(attend, *at)[1](moved)
    norms = [torch.linalg.matrix_norm(w, 2).item() for w in weights]
    return {"slope": slope, "weight_norm": max(norms)}


def _attention(config: Config) -> Sequence[Attention]:
    layered = config.theory.layered
    return [
        Attention(kind, size, seed)
        for kind, seeds in (("gaussian", layered.attention_seeds), ("torn", 1))
        for size in layered.sizes
        for seed in range(seeds)
    ]


ATTENTION: Experiment[Config] = Experiment("attention-slope", run_attention, _attention)
