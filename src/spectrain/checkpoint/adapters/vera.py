"""VeRA: ΔW = diag(λ_b)·B·diag(λ_d)·A, where all modules share A and B.

Source:
    Kopiczko et al., VeRA (2024), §3.1.
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

_FACTOR = re.compile(r"(?P<base>.+)\.vera_lambda_(?P<part>b|d)(?:\.[^.]+)?", re.ASCII | re.DOTALL)
_SHARED = re.compile(r"(?:.*\.)?vera_(A|B)(?:\.[^.]+)?", re.ASCII | re.DOTALL)


@method("VeRA")
def join_vera(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Pairs of scales with the projections that all share."""
    shared = {match[1]: item for name, item in held.items() if (match := _SHARED.fullmatch(name))}
    modules = {
        base: own for base, own in factors(held, _FACTOR).items() if own.keys() == {"b", "d"}
    }
    for number, (base, own) in enumerate(modules.items()):
        name, names = f"{base}.weight", tuple(stored.name for stored in own.values())
        if shared.keys() != {"A", "B"}:
            why = "VeRA whose random projections were not saved: save with save_projection=True"
            yield Joined(name, None, names, reason=why)
            continue
        inputs = _inputs(base, modules, shared["A"], config)
        if inputs is None:
            why = "VeRA of modules with unlike numbers of inputs: which are whose is not told"
            yield Joined(name, None, names, reason=why)
            continue
        last = number == len(modules) - 1
        parts = {"A": shared["A"], "B": shared["B"], **own}
        shape = (own["b"].shape[0], inputs)
        change = joined(name, shape, parts, partial(_vera, inputs=inputs), "a VeRA adapter")
        yield Joined(name, change, (*names, *(item.name for item in shared.values() if last)))


def _inputs(
    base: str, modules: Mapping[str, object], shared: Stored, config: AdapterConfig
) -> int | None:
    """Inputs of a module: those of the shared projection, which is cut for narrower ones.

    The projection is as wide as the widest module; with modules of one name alone it is theirs.
    """
    kinds = {name.rpartition(".")[2] for name in modules}
    return shared.shape[1] if len(kinds) == 1 or not config.settings.get("mixed") else None


def _vera(A: Tensor, B: Tensor, b: Tensor, d: Tensor, inputs: int) -> Product:
    return Product(b[:, None] * B[: len(b)], d[:, None] * A[:, :inputs])
