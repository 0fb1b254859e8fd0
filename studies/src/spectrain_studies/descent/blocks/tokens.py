"""Token indicators and Gaussian embeddings: eq. (2.15) and Lemma 2.9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import brentq
from torch import Tensor

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.draws import normal, stable_ranks
from spectrain_studies.descent.sampling.experiment import QUANTILE
from spectrain_studies.frame import Experiment, Outcome


def zipf(vocabulary: int, exponent: float) -> Float[Tensor, " vocabulary"]:
    """Frequencies p_j ∝ j^(−s), their sum 1.

    Example:
        >>> [round(p, 6) for p in (zipf(3, 1.0) * 11).tolist()]
        [6.0, 3.0, 2.0]
    """
    p = torch.arange(1, vocabulary + 1, dtype=torch.float64) ** -exponent
    return p / p.sum()


def zipf_exponent(vocabulary: int, stable_rank: float) -> float:
    """The exponent s at which 1/p_max = Σ j^(−s) is the stable rank of the token indicators.

    Example:
        >>> round(zipf_exponent(3, 11 / 6), 6)
        1.0
    """
    return float(brentq(lambda s: 1 / zipf(vocabulary, s)[0].item() - stable_rank, 0.0, 2.0))


def indicators(tokens: Int[Tensor, " n"], vocabulary: int) -> Float[Tensor, "vocabulary n"]:
    """H with a one in row i_t of column t.

    Example:
        >>> indicators(torch.tensor([1, 0]), 2)
        tensor([[0., 1.],
                [1., 0.]], dtype=torch.float64)
    """
    return torch.nn.functional.one_hot(tokens, vocabulary).double().mT


@dataclass(frozen=True)
class Embedded:
    """Tokens of a Zipf law and their Gaussian embeddings.

    Attributes:
        width: d.
        tokens: n.
        vocabulary: V.
        exponent: of the law.
        repeats: embeddings.
        seed: of the draws.
    """

    width: int
    tokens: int
    vocabulary: int
    exponent: float
    repeats: int
    seed: int


def run_embedded(case: Embedded) -> Outcome:
    """Stable ranks of indicators and embeddings times p_max, and spreads of squared norms.

    ``indicator`` is |st(H)·p_max − 1|; ``spread`` a quantile of max_t |‖x_t‖²/d − 1|, the smallest
    ε for which the event of the lemma occurs; ``excess`` is st(X)·p_max over (1 + ε)/(1 − ε) at
    that ε, ``normed`` the same of RMSNorm(X) over ((1 + ε)/(1 − ε))².
    """
    generator = torch.Generator().manual_seed(case.seed)
    law = zipf(case.vocabulary, case.exponent)
    tokens = torch.multinomial(law, case.tokens, replacement=True, generator=generator)
    distinct, order, counts = tokens.unique(return_inverse=True, return_counts=True)
    most = counts.max().item() / case.tokens
    hot = indicators(order, len(distinct))
    spread, ranks, normed = [], [], []
    for _ in range(case.repeats):
        x = normal(generator, case.width, len(distinct))[:, order]
        norms = x.square().sum(0)
        spread.append((norms / case.width - 1).abs().max().item())
        ranks.append(stable_ranks(x).item() * most)
        normed.append(stable_ranks(x / norms.sqrt()).item() * most)
    room = (1 + np.array(spread)) / (1 - np.array(spread))
    return {
        "indicator": abs(stable_ranks(hot).item() * most - 1),
        "spread": float(np.quantile(spread, QUANTILE)),
        "excess": np.where(room > 0, np.array(ranks) / room, np.nan),
        "normed": np.where(room > 0, np.array(normed) / room**2, np.nan),
    }


def _embedded(config: Config) -> Sequence[Embedded]:
    block = config.theory.block
    return [
        Embedded(width, block.tokens, block.vocabulary, block.zipf, block.repeats, seed)
        for width in block.widths
        for seed in range(block.seeds)
    ]


EMBEDDED: Experiment[Config] = Experiment("embeddings", run_embedded, _embedded)
