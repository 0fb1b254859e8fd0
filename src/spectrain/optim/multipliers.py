"""Learnable multipliers: W_ij becomes r_i W_ij c_j, so that decay of W no longer sets the scale.

Under weight decay a matrix settles at the norm that noise and decay agree on. Multipliers have few
entries and a small decay of their own; they give the layer the scale that the loss wants. The decay
also fixes their symmetry: (r, W, c) → (ar, W/ab, bc) leaves the layer as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from spectrain.core import InputError

Kind = Literal["scalar", "row", "column", "both"]

SYMMETRY_DECAY = 2e-3
"""Weight decay of multipliers (Velikanov et al. 2026)."""


class Multiplier(nn.Module):
    """x ↦ γ ∘ x over the last dimension, γ = 1 at first.

    Args:
        size: entries of γ: the features, or 1.
        like: gives device and dtype.

    Example:
        >>> Multiplier(3, like=torch.ones(1))(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(self, size: int, *, like: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size, device=like.device, dtype=like.dtype))

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """Scale the features."""
        return x * self.weight


class MultipliedLinear(nn.Linear):
    """y = r ∘ (W(c ∘ x)) + b, with the weight and bias of an existing layer.

    Args:
        layer: whose parameters are taken over, as the same objects.
        kind: ``scalar`` and ``row`` put r on the outputs, ``column`` c on the inputs.
    """

    rows: Multiplier | None
    columns: Multiplier | None

    def __init__(self, layer: nn.Linear, kind: Kind) -> None:
        outputs, inputs = layer.out_features, layer.in_features
        super().__init__(inputs, outputs, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        size = {"scalar": 1, "row": outputs, "both": outputs}.get(kind)
        self.rows = None if size is None else Multiplier(size, like=layer.weight)
        wide = kind in ("column", "both")
        self.columns = Multiplier(inputs, like=layer.weight) if wide else None
        self.train(layer.training)

    def forward(self, input: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Apply the layer."""
        x = input if self.columns is None else self.columns(input)
        if self.rows is None:
            return functional.linear(x, self.weight, self.bias)
        scaled: Tensor = self.rows(functional.linear(x, self.weight))
        return scaled if self.bias is None else scaled + self.bias

    def effective_weight(self) -> Float[Tensor, "outputs inputs"]:
        """The matrix r_i W_ij c_j that the layer multiplies by.

        Example:
            >>> layer = MultipliedLinear(nn.Linear(2, 2), "both")
            >>> torch.equal(layer.effective_weight(), layer.weight)
            True
        """
        weight: Tensor = self.weight
        if self.rows is not None:
            weight = self.rows.weight.unsqueeze(-1) * weight
        return weight if self.columns is None else weight * self.columns.weight


def add_multipliers(
    model: nn.Module, kind: Kind = "both", *, include: Sequence[str] = ("*",)
) -> tuple[str, ...]:
    """Put multipliers on linear layers, in place; the model computes what it did before.

    Make the optimizer afterwards, for instance of :func:`multiplier_groups`.

    Args:
        model: any module; its layers of type `torch.nn.Linear` itself are replaced.
        kind: one number a layer, one an output (``row``), one an input (``column``), or both.
        include: patterns of module names.

    Returns:
        Names of the layers.

    Raises:
        InputError: no linear layer matches.

    Source:
        Velikanov et al. 2026, Learnable multipliers, arXiv:2601.04890, eq. (4).

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> add_multipliers(model, "row")
        ('0', '2')
        >>> [name for name, _ in model.named_parameters()][:3]
        ['0.weight', '0.bias', '0.rows.weight']
    """
    chosen = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if type(module) is nn.Linear and name and any(fnmatchcase(name, p) for p in include)
    }
    if not chosen:
        raise InputError(
            f"no torch.nn.Linear matches {list(include)}",
            remedy="see model.named_modules() for names; other classes keep their own forward",
        )
    replaced = {id(module): MultipliedLinear(module, kind) for module in chosen.values()}
    for name, module in chosen.items():
        model.set_submodule(name, replaced[id(module)])
    return tuple(chosen)


def multiplier_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    multiplier_learning_rate: float | None = None,
    multiplier_weight_decay: float = SYMMETRY_DECAY,
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: matrices, multipliers with their own decay, and the rest.

    Args:
        model: after :func:`add_multipliers`.
        learning_rate: of matrices and the rest.
        weight_decay: of matrices; other vectors do not decay.
        multiplier_learning_rate: that of the matrices if not given.
        multiplier_weight_decay: fixes the symmetry of multipliers and matrix.

    Raises:
        InputError: the model has no multipliers.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8))
        >>> _ = add_multipliers(model)
        >>> groups = multiplier_groups(model, learning_rate=1e-3, weight_decay=0.1)
        >>> [len(group["params"]) for group in groups]
        [1, 2, 1]
    """
    modules = [module for module in model.modules() if isinstance(module, Multiplier)]
    if not modules:
        raise InputError("the model has no multipliers", remedy="call add_multipliers first")
    multipliers = {id(module.weight): module.weight for module in modules}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in multipliers]
    rate = learning_rate if multiplier_learning_rate is None else multiplier_learning_rate
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
        {
            "params": list(multipliers.values()),
            "lr": rate,
            "weight_decay": multiplier_weight_decay,
        },
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [{"lr": learning_rate} | group for group in groups if group["params"]]
