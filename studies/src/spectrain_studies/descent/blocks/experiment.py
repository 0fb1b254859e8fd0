"""A decoder block as in Figure 13, its bounds, and many of them: §2.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import norm
from torch import Tensor

from spectrain_studies.descent.blocks.tokens import zipf
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import gaussian, normal, rms_norm, stable_ranks
from spectrain_studies.frame import Experiment, Outcome

TAIL = float(norm.sf(1.0))
"""1 − Φ(1), the small-ball probability of ReLU at 1."""

MATRICES = ("rms", "attended", "mlp_rms", "hidden", "output")
"""A^rms, X^att, A^rms_mlp, B and X⁺, in the order of the block."""


def decoder_block(
    x: Float[Tensor, "d n"], hidden: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "_ n"]]:
    """One block with fresh Gaussian weights and ReLU: the matrices of Proposition 2.14, by name.

    P = softmax(d^(−½)KᵀQ) by columns, X^att = X + W_O V P, B = σ(W_1 RMSNorm(X^att)),
    X⁺ = X^att + W_2 B; one head, no mask, no positions.

    Args:
        x: block input.
        hidden: k of the MLP.
        generator: of the weights.

    Source:
        Davis & Drusvyatskiy, Figure 13 and Assumption A.

    Example:
        >>> made = decoder_block(torch.eye(4, dtype=torch.float64), 8, torch.Generator())
        >>> [tuple(made[name].shape) for name in MATRICES]
        [(4, 4), (4, 4), (4, 4), (8, 4), (4, 4)]
    """
    d = x.shape[0]
    query, key, value, out = (gaussian(d, d, generator) for _ in range(4))
    rms = rms_norm(x)
    scores = (key @ rms).mT @ (query @ rms) / sqrt(d)
    attended = x + out @ (value @ rms @ scores.softmax(dim=0))
    mlp_rms = rms_norm(attended)
    b = (gaussian(hidden, d, generator) @ mlp_rms).relu()
    output = attended + gaussian(d, hidden, generator) @ b
    return {"rms": rms, "attended": attended, "mlp_rms": mlp_rms, "hidden": b, "output": output}


def block_bounds(low: float, high: float, rank: float, delta: float) -> dict[str, float]:
    """Upper bounds on the stable ranks of a block, Proposition 2.14 (ii).

    Args:
        low: c₋ of c₋d ≤ ‖x_t‖² ≤ c₊d.
        high: c₊.
        rank: st(X).
        delta: δ < ¼.

    Example:
        >>> round(block_bounds(1.0, 1.0, 2.0, 0.0)["attended"], 6)
        6.0
    """
    growth, room = (1 + delta) / (1 - delta), 1 + 2 / low
    return {
        "rms": high / low * rank,
        "attended": growth * room * rank,
        "mlp_rms": growth**2 * (high + 1) / low * room * rank,
        "hidden": 2 * pi,
        "output": 2 * pi * growth * (1 + (1 + delta) * (high + 1) / (TAIL / 2 * (1 - delta))),
    }


INPUTS = ("embedding", "uneven", "isotropic", "one direction")
EXPONENTS = (0.9, 1.1, 1.3, 1.5, 2.0)
"""Zipf exponents over which the frequency of the most common token is varied."""


def block_input(
    kind: str, width: int, tokens: int, law: tuple[int, float], generator: torch.Generator
) -> tuple[Float[Tensor, "d n"], float]:
    """Inputs of low and of high stable rank, and p_max of the tokens, NaN where there are none.

    Args:
        kind: ``embedding`` of Zipf tokens; ``uneven``, the same with squared norms times ½ to 2;
            ``isotropic`` columns; or mostly ``one direction``.
        width: d.
        tokens: n.
        law: vocabulary and exponent of the tokens.
        generator: of the draws.
    """
    columns = normal(generator, width, tokens)
    if kind == "isotropic":
        return columns, float("nan")
    if kind == "one direction":
        return columns * 0.3 + sqrt(0.91) * columns[:, :1], float("nan")
    drawn = torch.multinomial(zipf(*law), tokens, replacement=True, generator=generator)
    distinct, order, counts = drawn.unique(return_inverse=True, return_counts=True)
    most = counts.max().item() / tokens
    x = normal(generator, width, len(distinct))[:, order]
    if kind == "uneven":
        scales = 4.0 ** (torch.rand(tokens, dtype=torch.float64, generator=generator) - 0.5)
        return x * scales.sqrt(), most
    return x, most


@dataclass(frozen=True)
class Blocks:
    """A stack of blocks at initialisation.

    Attributes:
        kind: of the input.
        width: d.
        hidden: k.
        tokens: n.
        law: vocabulary and exponent of the tokens.
        layers: L.
        delta: δ.
        seed: of the draws.
    """

    kind: str
    width: int
    hidden: int
    tokens: int
    law: tuple[int, float]
    layers: int
    delta: float
    seed: int


def run_blocks(case: Blocks) -> Outcome:
    """Stable ranks (layers × matrices), the same over their bounds, and norms over theirs.

    ``low`` and ``high`` are min and max_t ‖x⁺_t‖²/d over c⁺₋ and c⁺₊ of every block.
    """
    generator = torch.Generator().manual_seed(case.seed)
    x, most = block_input(case.kind, case.width, case.tokens, case.law, generator)
    first = stable_ranks(x).item()
    ranks, shares, low, high = [], [], [], []
    for _ in range(case.layers):
        norms = x.square().sum(0) / case.width
        lowest, highest = norms.min().item(), norms.max().item()
        bounds = block_bounds(lowest, highest, stable_ranks(x).item(), case.delta)
        made = decoder_block(x, case.hidden, generator)
        found = {name: stable_ranks(made[name]).item() for name in MATRICES}
        x = made["output"]
        norms = x.square().sum(0) / case.width
        ranks.append([found[name] for name in MATRICES])
        shares.append([found[name] / bounds[name] for name in MATRICES])
        low.append(norms.min().item() / ((1 - case.delta) ** 2 * lowest))
        high.append(norms.max().item() / ((1 + case.delta) ** 2 * (highest + 2)))
    return {
        "input": first,
        "most": most,
        "ranks": np.array(ranks),
        "shares": np.array(shares),
        "low": np.array(low),
        "high": np.array(high),
    }


def _blocks(config: Config) -> Sequence[Blocks]:
    block = config.theory.block
    stacks = [(kind, block.zipf, block.layers, block.stacks) for kind in INPUTS]
    first = [("embedding", exponent, 1, block.seeds) for exponent in EXPONENTS]
    sizes = block.width, block.expansion * block.width, block.tokens
    return [
        Blocks(kind, *sizes, (block.vocabulary, exponent), layers, block.delta, seed)
        for kind, exponent, layers, seeds in [*stacks, *first]
        for seed in range(seeds)
    ]


BLOCKS: Experiment[Config] = Experiment("blocks", run_blocks, _blocks)
