"""LoHa: ΔW = s·(w1_a·w1_b) ∘ (w2_a·w2_b), the entrywise product of two of low rank.

It has rank r² at most and is kept as factors: rows of the left one are Kronecker products of those
of w1_a and w2_a, columns of the right one of those of w1_b and w2_b.

Source:
    Hyeon-Woo et al., FedPara (2022), Proposition 1; Yeh et al., LyCORIS (2024), §3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, factors, method
from spectrain.checkpoint.adapters.thin import joined, tucker
from spectrain.checkpoint.stored import Product, Stored

_FACTOR = re.compile(
    r"(?P<base>.+)\.hada_(?P<part>w1_a|w1_b|w2_a|w2_b|t1|t2)(?:\.[^.]+)?", re.ASCII | re.DOTALL
)
_PAIRS = {"w1_a", "w1_b", "w2_a", "w2_b"}


@method("LoHa")
def join_loha(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Quadruples of factors, with the two cores of a convolution where there are."""
    for base, own in factors(held, _FACTOR).items():
        if not own.keys() >= _PAIRS or any(len(own[key].shape) != 2 for key in _PAIRS):
            continue
        if alpha := held.get(f"{base}.alpha"):
            own = {**own, "alpha": alpha}
        rank = own["w1_b"].shape[0]
        factor = config.factor(base, rank)
        outputs = own["w1_a"].shape[1 if "t1" in own else 0]
        shape: tuple[int, ...] = (outputs, own["w1_b"].shape[1])
        if "t1" in own:
            shape = (*shape, *own["t1"].shape[2:])
        name, names = f"{base}.weight", tuple(stored.name for stored in own.values())
        known = factor is not None or "alpha" in own
        note = "a LoHa adapter" + ("" if known else ", its scale unknown")
        yield Joined(name, joined(name, shape, own, partial(_loha, factor=factor), note), names)


def _loha(
    w1_a: Tensor,
    w1_b: Tensor,
    w2_a: Tensor,
    w2_b: Tensor,
    t1: Tensor | None = None,
    t2: Tensor | None = None,
    alpha: Tensor | None = None,
    *,
    factor: float | None,
) -> Product | Tensor:
    scale = float(alpha.sum()) / w1_b.shape[0] if alpha is not None else factor
    scale = 1.0 if scale is None else scale
    if t1 is not None and t2 is not None:
        return tucker(t1, w1_b, w1_a) * tucker(t2, w2_b, w2_a) * scale
    rank = w1_b.shape[0] * w2_b.shape[0]
    if rank >= min(len(w1_a), w1_b.shape[1]):
        return (w1_a @ w1_b) * (w2_a @ w2_b) * scale
    left = torch.einsum("mi,mj->mij", w1_a, w2_a).flatten(1)
    right = torch.einsum("in,jn->ijn", w1_b, w2_b).flatten(0, 1)
    assert left.shape[1] == math.prod((w1_b.shape[0], w2_b.shape[0]))
    return Product(left * scale, right)
