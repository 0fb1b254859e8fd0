"""Factors of every method of adaptation, and the changes that they stand for by its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

M = "base_model.model.layers.0.q_proj"
Case = tuple[dict[str, Tensor], dict[str, Any], dict[str, Tensor]]
"""Factors, configuration, and the changes by the names of their weights."""


def r(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lora_names(down: str, up: str) -> Case:
    a, b = r(3, 10, seed=1), r(8, 3, seed=2)
    return {f"{M}{down}": a, f"{M}{up}": b}, {"lora_alpha": 6}, {f"{M}.weight": 2 * b @ a}


def mlx() -> Case:
    a, b = r(10, 3, seed=1), r(3, 8, seed=2)
    config = {"lora_parameters": {"rank": 3, "scale": 5.0}}
    return {f"{M}.lora_a": a, f"{M}.lora_b": b}, config, {f"{M}.weight": 5 * (a @ b).T}


def convolution(cored: bool) -> Case:
    if not cored:
        a, b = r(3, 4, 2, 2, seed=1), r(8, 3, 1, 1, seed=2)
        change = b.flatten(1) @ a.flatten(1)
        return {f"{M}.lora_A.weight": a, f"{M}.lora_B.weight": b}, {}, {f"{M}.weight": change}
    down, mid, up = r(3, 4, 1, 1, seed=1), r(3, 3, 2, 2, seed=2), r(8, 3, 1, 1, seed=3)
    change = torch.einsum("or,rskl,si->oikl", up.flatten(1), mid, down.flatten(1)).flatten(1)
    parts = {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up}
    alpha = {f"{M}.alpha": torch.tensor(6.0)}
    return {**{f"{M}.{k}": v for k, v in parts.items()}, **alpha}, {}, {f"{M}.weight": 2 * change}


def adalora() -> Case:
    a, b, e = r(3, 10, seed=1), r(8, 3, seed=2), r(3, 1, seed=3)
    change = b @ (e * a) * (6 / (3 + 1e-5))
    return (
        {f"{M}.lora_A": a, f"{M}.lora_B": b, f"{M}.lora_E": e},
        {"peft_type": "ADALORA", "r": 8, "lora_alpha": 6},
        {f"{M}.weight": change},
    )


def stacked() -> Case:
    a, b = r(2 * 3, 10, seed=1), r(8, 2 * 3, seed=2)
    up = b.reshape(8, 2, 3)
    module = "base_model.model.mlp.experts"
    config = {"r": 2, "lora_alpha": 4, "target_parameters": ["mlp.experts.gate_up_proj"]}
    changes = {
        f"{module}.{e}.gate_up_proj": 2 * up[..., e] @ a[2 * e : 2 * e + 2] for e in range(3)
    }
    return {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}, config, changes


def turned() -> Case:
    """The weight is stored as inputs × outputs."""
    tensors, config, wanted = lora_names(".lora_A.weight", ".lora_B.weight")
    whole = {name: change.mT for name, change in wanted.items()}
    return tensors, config | {"fan_in_fan_out": True}, whole


def two() -> Case:
    tensors: dict[str, Tensor] = {}
    wanted: dict[str, Tensor] = {}
    for name in ("one", "other"):
        own, config, change = lora_names(f".lora_A.{name}.weight", f".lora_B.{name}.weight")
        tensors |= own
        wanted |= {f"{key} of {name!r}": value for key, value in change.items()}
    return tensors, config, wanted


def loha(rank: int) -> Case:
    w = [r(8, rank, seed=1), r(rank, 10, seed=2), r(8, rank, seed=3), r(rank, 10, seed=4)]
    change = (w[0] @ w[1]) * (w[2] @ w[3]) * 6 / rank
    names = ("w1_a", "w1_b", "w2_a", "w2_b")
    tensors = {f"{M}.hada_{name}": factor for name, factor in zip(names, w, strict=True)}
    return tensors, {"alpha": 6, "r": rank}, {f"{M}.weight": change}


def lokr(whole: bool) -> Case:
    w1, a, b = r(2, 5, seed=1), r(4, 3, seed=2), r(3, 2, seed=3)
    tensors = {f"{M}.lokr_w1": w1}
    tensors |= {f"{M}.lokr_w2": a @ b} if whole else {f"{M}.lokr_w2_a": a, f"{M}.lokr_w2_b": b}
    return tensors, {"alpha": 6, "r": 3}, {f"{M}.weight": 2 * torch.kron(w1, a @ b)}


def vera() -> Case:
    a, b, low, high = r(3, 10, seed=1), r(12, 3, seed=2), r(3, seed=3), r(8, seed=4)
    tensors = {f"{M}.vera_lambda_d": low, f"{M}.vera_lambda_b": high}
    tensors |= {"base_model.vera_A": a, "base_model.vera_B": b}
    change = high[:, None] * (b[:8] @ (low[:, None] * a))
    return tensors, {"peft_type": "VERA", "r": 3}, {f"{M}.weight": change}


CASES: dict[str, Callable[[], Case]] = {
    "LoRA of PEFT": lambda: lora_names(".lora_A.weight", ".lora_B.weight"),
    "LoRA with the adapter's name": lambda: lora_names(
        ".lora_A.default.weight", ".lora_B.default.weight"
    ),
    "LoRA of torchtune": lambda: lora_names(".lora_a.weight", ".lora_b.weight"),
    "LoRA of Diffusers": lambda: lora_names(".lora.down.weight", ".lora.up.weight"),
    "LoRA of older Diffusers": lambda: lora_names("_lora.down.weight", "_lora.up.weight"),
    "LoRA of linear layers of Diffusers": lambda: lora_names(
        ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"
    ),
    "LoRA of MLX": mlx,
    "LoRA of a convolution": lambda: convolution(False),
    "LoRA of a convolution with a core": lambda: convolution(True),
    "LoRA of Conv1D": turned,
    "two LoRA in one file": two,
    "AdaLoRA": adalora,
    "LoRA of parameters": stacked,
    "LoHa": lambda: loha(2),
    "LoHa of high rank": lambda: loha(4),
    "LoKr": lambda: lokr(False),
    "LoKr, whole": lambda: lokr(True),
    "VeRA": vera,
}


ALONE = {
    "OFT": {f"{M}.oft_R.weight": r(2, 3, seed=1)},
    "IA3": {f"{M}.ia3_l": r(8, 1, seed=1)},
    "VeRA without projections": {
        f"{M}.vera_lambda_d": r(3, seed=3),
        f"{M}.vera_lambda_b": r(8, seed=4),
    },
    "half a LoHa": {f"{M}.hada_w1_a": r(8, 2, seed=1), f"{M}.hada_w1_b": r(2, 8, seed=2)},
    "BOFT": {f"{M}.boft_R": r(1, 2, 4, 4, seed=1)},
    "VBLoRA": {f"{M}.vblora_vector_bank": r(9, 8, seed=1)},
}
