"""AdaLoRA: ΔW = s·B·diag(E)·A with s = alpha/(r + 10⁻⁵), as PEFT has it.

Source:
    Zhang et al., AdaLoRA (2023), §3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, factors, method
from spectrain.checkpoint.adapters.thin import joined
from spectrain.checkpoint.stored import Product, Stored

GUARD = 1e-5

_FACTOR = re.compile(r"(?P<base>.+)\.lora_(?P<part>A|B|E)(?:\.[^.]+)?", re.ASCII | re.DOTALL)


@method("AdaLoRA")
def join_adalora(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Triples of factors."""
    for base, own in factors(held, _FACTOR).items():
        if own.keys() != {"A", "B", "E"} or len(own["A"].shape) != 2 or len(own["B"].shape) != 2:
            continue
        rank = own["A"].shape[0]
        alpha = config.factor(base, 1)
        factor = None if alpha is None else alpha / (rank + GUARD)
        note = "B·diag(E)·A of an adapter" + (
            ", its scale unknown" if factor is None else f", times {factor:g}"
        )
        name, shape = f"{base}.weight", (own["B"].shape[0], own["A"].shape[1])
        change = joined(name, shape, own, partial(_product, factor=factor or 1.0), note)
        yield Joined(name, change, tuple(stored.name for stored in own.values()))


def _product(A: Tensor, B: Tensor, E: Tensor, factor: float) -> Product:
    return Product(B * factor, E.reshape(-1, 1) * A)
