"""LoRA: ΔW = s·B·A, with s = alpha/r, or alpha/√r where it is rank-stabilised.

DoRA scales the rows of the sum, W' = m·(W + s·B·A)/‖W + s·B·A‖: the whole change is known only with
the base model. Under names of PEFT, torchtune, MLX, Diffusers and kohya, of linear layers,
embeddings and convolutions.

Source:
    Hu et al., LoRA (2022), §4.1; Kalajdzievski, rsLoRA (2023); Liu et al., DoRA (2024), §4.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, method
from spectrain.checkpoint.adapters.thin import dense, flat, joined, read_joined, tucker
from spectrain.checkpoint.stored import Product, Stored

_FACTOR = re.compile(
    r"(?P<base>.+?)(?:[._](?:lora|lora_linear_layer))[._](?P<embedding>embedding_)?"
    r"(?P<side>A|B|a|b|down|up|mid)(?:\.(?P<adapter>[^.]+))??(?:\.weight)?",
    re.ASCII | re.DOTALL,
)
_BESIDE = {
    "alpha": ("{}.alpha",),
    "magnitude": (
        "{}.lora_magnitude_vector",
        "{}.lora_magnitude_vector.weight",
        "{}.lora_magnitude_vector.{}.weight",
        "{}.lora_magnitude_vector.{}",
        "{}.dora_scale",
        "{}.magnitude",
    ),
    "bias": ("{}.lora_B.bias",),
}
_SIDES = {"A": "down", "a": "down", "B": "up", "b": "up"}
DORA = "DoRA: its magnitudes rescale W + s·B·A, so that the whole change needs the base model"


@method("LoRA")
def join_lora(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Pairs of factors."""
    pairs: dict[tuple[str, bool, str | None], dict[str, Stored]] = {}
    for name, stored in held.items():
        if match := _FACTOR.fullmatch(name):
            side = _SIDES.get(match["side"], match["side"])
            key = match["base"], match["embedding"] is not None, match["adapter"]
            pairs.setdefault(key, {})[side] = stored
    several = Counter(base for base, _, _ in pairs)
    for (base, embedding, adapter), parts in pairs.items():
        parts |= {
            key: held[name]
            for key, names in _BESIDE.items()
            for name in (pattern.format(base, adapter or "default") for pattern in names)
            if name in held
        }
        own = f" of {adapter!r}" if adapter is not None and several[base] > 1 else ""
        if (one := _joined(base, own, parts, config, embedding=embedding)) is not None:
            yield one


def _joined(
    base: str, own: str, parts: dict[str, Stored], config: AdapterConfig, *, embedding: bool
) -> Joined | None:
    """The change that a pair makes; ``own`` sets it apart from those of other adapters."""
    names = tuple(stored.name for stored in parts.values())
    parts.pop("bias", None)
    magnitude = parts.pop("magnitude", None)
    if not {"down", "up"} <= parts.keys() or min(len(p.shape) for p in _pair(parts)) < 2:
        return None
    down, up = _pair(parts)
    transposed = down.shape[0] != up.shape[1] and down.shape[1] == up.shape[0]  # as MLX has them
    rank = down.shape[1] if transposed else down.shape[0]
    if not transposed and down.shape[0] != up.shape[1] and "mid" not in parts:
        return None
    shape = (up.shape[1], down.shape[0]) if transposed else (up.shape[0], math.prod(down.shape[1:]))
    if "mid" in parts:
        shape = (up.shape[0], down.shape[1] * math.prod(parts["mid"].shape[2:]))
    turned = embedding or (config.settings.get("fan_in_fan_out") is True and "mid" not in parts)
    shape = shape[::-1] if turned else shape
    if config.begins_in_the_base:
        return Joined(f"{base}.weight{own}", None, names, reason=_RESIDUAL)
    factor = None if "alpha" in parts else config.factor(base, rank)
    note = "B·A of an adapter" + (
        f", times {factor:g}" if factor is not None else "" if "alpha" in parts else _UNKNOWN
    )
    how = partial(product, factor=factor, transposed=transposed, turned=turned)
    change = joined(f"{base}.weight{own}", shape, parts, how, note)
    if magnitude is None:
        return Joined(change.name, change, names)
    onto = partial(_dora, parts, how, shape, magnitude, turned)
    return Joined(change.name, replace(change, note=f"{note}; {DORA}"), names, onto)


_UNKNOWN = ", its scale unknown"
_RESIDUAL = (
    "its factors began as a part of the base model, so that their product is not what training "
    "changed: save it with path_initial_model_for_weight_conversion, or compare the merged model"
)


def _pair(parts: Mapping[str, Stored]) -> tuple[Stored, Stored]:
    return parts["down"], parts["up"]


def product(
    down: Tensor,
    up: Tensor,
    alpha: Tensor | None = None,
    mid: Tensor | None = None,
    *,
    factor: float | None = None,
    transposed: bool = False,
    turned: bool = False,
) -> Product:
    """s·B·A as two thin factors; with ``mid``, the core of a convolution, B·(C ∘ A).

    Args:
        down: A, rank × inputs.
        up: B, outputs × rank.
        alpha: gives s = alpha/r where there is one.
        mid: rank × rank × kernel.
        factor: s.
        transposed: A is inputs × rank and B rank × outputs.
        turned: the weight is stored as inputs × outputs, as those of embeddings and Conv1D are.
    """
    if transposed:
        down, up = down.mT, up.mT
    if alpha is not None:
        factor = float(alpha.sum()) / down.shape[0]
    right = flat(down) if mid is None else _cored(mid, flat(down))
    left = flat(up) * (1.0 if factor is None else factor)
    return Product(right.mT, left.mT) if turned else Product(left, right)


def _cored(mid: Tensor, down: Tensor) -> Tensor:
    return tucker(mid, down, torch.eye(mid.shape[0], dtype=mid.dtype)).flatten(1)


def _dora(
    parts: Mapping[str, Stored],
    how: partial[Product],
    shape: tuple[int, ...],
    magnitude: Stored,
    turned: bool,
    weight: Tensor,
) -> Tensor:
    """m·(W + s·B·A)/‖W + s·B·A‖, norms by outputs, or by columns where m has one a column."""
    m = magnitude.load()
    assert isinstance(m, Tensor)
    whole = weight.double().flatten(1) + dense(read_joined(parts, how, shape))
    columns = turned or (m.ndim > 1 and m.shape[0] == 1 and m.numel() == whole.shape[1])
    norms = torch.linalg.vector_norm(whole, dim=0 if columns else 1, keepdim=True)
    return (whole * (m.double().reshape(norms.shape) / norms)).reshape(weight.shape)
