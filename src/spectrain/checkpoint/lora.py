"""Low-rank adapters: pairs of thin factors become the products that they stand for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Product, Stored
from spectrain.core import InputError, Skipped

_FACTOR = re.compile(
    r"(?P<base>.+)\.lora_(?P<embedding>embedding_)?(?P<side>A|B|down|up)(?:\.[^.]+)??(?:\.weight)?",
    re.ASCII | re.DOTALL,
)
_MAX_CONFIG = 1_000_000


@dataclass(frozen=True, slots=True)
class Scaling:
    """By what an adapter multiplies B·A: alpha/r, or alpha/√r.

    Attributes:
        alpha: ``None`` where nothing tells it; then B·A is taken as it is.
        by_root: rank-stabilised adapters divide by √r.
        alphas: other values for some modules, by the end of their names.
    """

    alpha: float | None = None
    by_root: bool = False
    alphas: Mapping[str, float] | None = None

    def factor(self, base: str, rank: int) -> float | None:
        """The factor for one module; ``None`` where it is not known."""
        alpha = self.alpha
        for ending, other in (self.alphas or {}).items():
            if base == ending or base.endswith(f".{ending}"):
                alpha = other
        if alpha is None or rank == 0:
            return None
        return alpha / (math.sqrt(rank) if self.by_root else rank)


def read_scaling(folder: Path) -> Scaling:
    """The scaling that ``adapter_config.json`` in the folder tells, if there is one.

    Raises:
        InputError: the file is there and cannot be read.
    """
    path = folder / "adapter_config.json"
    if not path.is_file():
        return Scaling()
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_MAX_CONFIG))
        alphas = {
            str(key): float(value) for key, value in (config.get("alpha_pattern") or {}).items()
        }
        alpha = float(config["lora_alpha"]) if "lora_alpha" in config else None
        return Scaling(alpha, bool(config.get("use_rslora")), alphas)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path.name!r} cannot be read ({error})", remedy="fetch it again, or remove it"
        ) from None


def join_factors(checkpoint: Checkpoint, scaling: Scaling) -> Checkpoint:
    """The checkpoint with every pair of factors in place of its two tensors.

    A factor without its partner stays a matrix of its own.
    """
    pairs: dict[str, dict[str, Stored]] = {}
    alphas = {
        item.name.removesuffix(".alpha"): item
        for item in checkpoint.tensors
        if item.name.endswith(".alpha")
    }
    for item in checkpoint.tensors:
        if match := _FACTOR.fullmatch(item.name):
            side = {"down": "A", "up": "B"}.get(match["side"], match["side"])
            pairs.setdefault(match["base"], {})[side] = item
    joined = {
        base: (sides["A"], sides["B"], alphas.get(base))
        for base, sides in pairs.items()
        if len(sides) == 2 and _fit(sides["A"], sides["B"])
    }
    if not joined:
        return checkpoint
    used = {item.name: base for base, parts in joined.items() for item in parts if item}
    tensors = [item for item in checkpoint.tensors if item.name not in used]
    tensors.extend(_product(base, *parts, scaling) for base, parts in joined.items())
    skipped = [Skipped(name, f"a factor of {base + '.weight'!r}") for name, base in used.items()]
    return replace(
        checkpoint,
        format=f"{checkpoint.format}, adapter",
        tensors=tuple(tensors),
        skipped=(*checkpoint.skipped, *skipped),
    )


def _fit(down: Stored, up: Stored) -> bool:
    return len(down.shape) >= 2 and len(up.shape) >= 2 and down.shape[0] == up.shape[1]


def _product(base: str, down: Stored, up: Stored, alpha: Stored | None, scaling: Scaling) -> Stored:
    rank = down.shape[0]
    shape = (up.shape[0], math.prod(down.shape[1:]))
    embedding = ".lora_embedding_" in down.name[len(base) :]
    factor = scaling.factor(base, rank)
    note = "B·A of an adapter" + (
        f", times {factor:g}" if factor is not None else "" if alpha else ", its scale unknown"
    )
    return Stored(
        f"{base}.weight",
        shape[::-1] if embedding else shape,
        down.dtype,
        partial(_load, down, up, alpha, factor, embedding),
        note,
    )


def _load(
    down: Stored, up: Stored, alpha: Stored | None, factor: float | None, embedding: bool
) -> Product:
    right, left = _thin(down.load()), _thin(up.load())
    if factor is None and alpha is not None:
        factor = float(_thin(alpha.load()).sum()) / right.shape[0]
    left = left.double() * (1.0 if factor is None else factor)
    right = right.double()
    return Product(right.mT, left.mT) if embedding else Product(left, right)


def _thin(tensor: Any) -> Tensor:
    assert isinstance(tensor, Tensor)
    return tensor.flatten(1) if tensor.ndim > 2 else tensor
