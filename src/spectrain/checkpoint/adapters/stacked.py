"""LoRA on stacked experts (PEFT's ``target_parameters``): one pair of factors holds all experts.

A (r·E × in) is cut into E blocks of r rows, B (out × r·E) is read as out × r × E, and
ΔWₑ = s·Bₑ·Aₑ. Several parameters of one module nest: ``experts.base_layer`` holds the first.
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

_FACTOR = re.compile(r"(?P<base>.+)\.lora_(?P<part>A|B)(?:\.[^.]+)??\.weight", re.ASCII | re.DOTALL)


@method("LoRA of parameters")
def join_stacked(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Pairs whose rank is a multiple of the configuration's."""
    targets = config.settings.get("target_parameters")
    if not isinstance(targets, list | tuple) or not targets:
        return
    for base, own in factors(held, _FACTOR).items():
        module = base.replace(".base_layer", "")
        nested = base.count(".base_layer")
        around = [str(one) for one in targets if _ends(module, str(one).rpartition(".")[0])]
        if own.keys() != {"A", "B"} or not around:
            continue
        depth = sum(other.replace(".base_layer", "") == module for other in factors(held, _FACTOR))
        at = depth - 1 - nested  # the innermost was wrapped first
        local = around[at].rpartition(".")[2] if at < len(around) else "weight"
        rank = config.rank_of(f"{module}.{local}")
        total, names = own["A"].shape[0], tuple(stored.name for stored in own.values())
        if not rank or total % rank or own["B"].shape[1:] != (total,):
            yield Joined(f"{module}.{local}", None, names, reason="its rank is not told")
            continue
        factor = config.factor(f"{module}.{local}", rank)
        count, shape = total // rank, (own["B"].shape[0], own["A"].shape[1])
        note = "B·A of an adapter" + (f", times {factor:g}" if factor else ", its scale unknown")
        for expert in range(count):
            name = f"{module}.{expert}.{local}" if count > 1 else f"{module}.{local}"
            how = partial(_product, expert=expert, count=count, factor=factor or 1.0)
            change = joined(name, shape, own, how, note)
            yield Joined(name, change, names if expert == count - 1 else ())


def _ends(module: str, ending: str) -> bool:
    return not ending or module == ending or module.endswith(f".{ending}")


def _product(A: Tensor, B: Tensor, expert: int, count: int, factor: float) -> Product:
    down = A.reshape(count, -1, A.shape[1])[expert]
    return Product(B.reshape(B.shape[0], -1, count)[..., expert] * factor, down)
