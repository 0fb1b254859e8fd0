"""VeRA: ΔW = diag(λ_b)·B·diag(λ_d)·A, where all modules share A and B.

Source:
    Kopiczko et al., VeRA (2024), §3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, factors, method
from spectrain.checkpoint.adapters.thin import joined
from spectrain.checkpoint.stored import Product, Stored

_FACTOR = re.compile(r"(?P<base>.+)\.vera_lambda_(?P<part>b|d)(?:\.[^.]+)?", re.ASCII | re.DOTALL)
_SHARED = re.compile(r"(?:.*\.)?vera_(A|B)(?:\.[^.]+)?", re.ASCII | re.DOTALL)


@method("VeRA")
def join_vera(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Pairs of scales with the projections that all share."""
    shared = {match[1]: item for name, item in held.items() if (match := _SHARED.fullmatch(name))}
    modules = {
        base: own for base, own in factors(held, _FACTOR).items() if own.keys() == {"b", "d"}
    }
    # A is as wide as the widest module, and is cut for the others.
    unsure = len({base.rpartition(".")[2] for base in modules}) > 1
    for number, (base, own) in enumerate(modules.items()):
        name, names = f"{base}.weight", tuple(stored.name for stored in own.values())
        if shared.keys() != {"A", "B"}:
            why = "VeRA whose random projections were not saved: save with save_projection=True"
            yield Joined(name, None, names, reason=why)
            continue
        last = number == len(modules) - 1
        parts = {"A": shared["A"], "B": shared["B"], **own}
        inputs = shared["A"].shape[1]
        shape = (own["b"].shape[0], inputs)
        note = "a VeRA adapter" + (f", taken to have all {inputs} inputs" if unsure else "")
        change = joined(name, shape, parts, _vera, note)
        yield Joined(name, change, (*names, *(item.name for item in shared.values() if last)))


def _vera(A: Tensor, B: Tensor, b: Tensor, d: Tensor) -> Product:
    return Product(b[:, None] * B[: len(b)], d[:, None] * A)
