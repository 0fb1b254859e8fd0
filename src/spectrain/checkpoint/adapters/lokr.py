"""LoKr: ΔW = s·w1 ⊗ w2, each whole or a product of two factors.

Source:
    Yeh et al., LyCORIS (2024), §3; Edalati et al., KronA (2022).
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
from spectrain.checkpoint.stored import Stored

_FACTOR = re.compile(
    r"(?P<base>.+)\.lokr_(?P<part>w1|w1_a|w1_b|w2|w2_a|w2_b|t2)(?:\.[^.]+)?", re.ASCII | re.DOTALL
)


@method("LoKr")
def join_lokr(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Pairs of Kronecker factors."""
    for base, own in factors(held, _FACTOR).items():
        if alpha := held.get(f"{base}.alpha"):
            own = {**own, "alpha": alpha}
        first, second = _shape(own, "w1"), _shape(own, "w2")
        if first is None or second is None:
            continue
        rank = next((own[key].shape[0] for key in ("w1_b", "w2_b") if key in own), None)
        factor = config.factor(base, rank or config.rank_of(base) or 0)
        shape = (first[0] * second[0], first[1] * second[1], *second[2:])
        name, names = f"{base}.weight", tuple(stored.name for stored in own.values())
        known = factor is not None or "alpha" in own
        note = "a LoKr adapter" + ("" if known else ", its scale unknown")
        how = partial(_lokr, factor=factor, rank=rank)
        yield Joined(name, joined(name, shape, own, how, note), names)


def _shape(own: Mapping[str, Stored], key: str) -> tuple[int, ...] | None:
    if key in own:
        return own[key].shape if len(own[key].shape) >= 2 else None
    pair = own.get(f"{key}_a"), own.get(f"{key}_b")
    if pair[0] is None or pair[1] is None or min(len(one.shape) for one in pair if one) < 2:
        return None
    if key == "w2" and "t2" in own:
        return (pair[0].shape[1], pair[1].shape[1], *own["t2"].shape[2:])
    return (pair[0].shape[0], math.prod(pair[1].shape[1:]))


def _lokr(
    w1: Tensor | None = None,
    w2: Tensor | None = None,
    w1_a: Tensor | None = None,
    w1_b: Tensor | None = None,
    w2_a: Tensor | None = None,
    w2_b: Tensor | None = None,
    t2: Tensor | None = None,
    alpha: Tensor | None = None,
    *,
    factor: float | None,
    rank: int | None,
) -> Tensor:
    if w1_a is not None and w1_b is not None:
        w1 = w1_a @ w1_b
    if w2_a is not None and w2_b is not None:
        w2 = w2_a @ w2_b.flatten(1) if t2 is None else tucker(t2, w2_b, w2_a)
    assert w1 is not None
    assert w2 is not None
    if alpha is not None:
        factor = float(alpha.sum()) / rank if rank else 1.0
    w1 = w1.reshape(*w1.shape, *(1,) * (w2.ndim - w1.ndim))
    return torch.kron(w1, w2.contiguous()) * (1.0 if factor is None else factor)
