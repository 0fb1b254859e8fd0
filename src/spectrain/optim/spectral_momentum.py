"""Muon with its choices open: granularity, exponent of the spectrum, and length of the step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain.core import InputError
from spectrain.matrix import orthogonalized

LENGTHS: dict[str, Callable[[int, int], float]] = {
    "original": lambda m, n: sqrt(max(1.0, m / n)),
    "match_rms_adamw": lambda m, n: 0.2 * sqrt(max(m, n)),
}
"""Factor on the rate of an m × n matrix: Muon's own, and the one whose steps are as long as
AdamW's (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982, §2.2)."""

EPSILON = 1e-8
"""Keeps rows without a step at rest."""


class SpectralMomentum(Optimizer):
    """W ← (1 − ηλ)W − η·s·U Σᵖ Vᵀ of the momentum M = UΣVᵀ, part by part.

    With p = 0 and one part a parameter this is ``torch.optim.Muon``. For 0 < p ≤ 1 the step is
    scaled to the Frobenius norm √r of the orthogonal one, so that p alone is changed; p = 1 is
    normalised momentum. With ``cut=k`` each of the k equal parts along the first dimension is a
    matrix of its own: q, k and v of a fused projection, heads, or experts. Tensors of more than two
    dimensions are flattened to matrices (first dimension × the rest).

    Args:
        params: parameters of two dimensions and more, or groups of them.
        lr: η.
        weight_decay: λ, decoupled.
        momentum: μ of M ← μM + (1 − μ)G.
        nesterov: whether the step is that of (1 − μ)G + μM.
        exponent: p.
        cut: number k of parts along the first dimension.
        rows_beta: β₂ of a running mean of the squares of the step's rows, by whose root rows are
            divided (NorMuon); the step keeps its Frobenius norm. 0 leaves rows as they are.
        adjust_lr_fn: name of the factor s on the rate, of :data:`LENGTHS`.

    Raises:
        InputError: a setting is out of range, a parameter has fewer than two dimensions or no k
            equal parts.

    Source:
        Jordan et al. 2024 (Muon); spectral exponents: arXiv:2605.17109; rows: Li et al. 2025
        (NorMuon), arXiv:2510.05491, Algorithm 1.

    Example:
        >>> w = torch.nn.Parameter(torch.zeros(2, 2))
        >>> w.grad = torch.diag(torch.tensor([4.0, 1.0]))
        >>> SpectralMomentum([w], lr=0.1, exponent=1.0, weight_decay=0.0).step()
        >>> w.detach().diagonal()  # 4 : 1, of Frobenius norm 0.1·√2
        tensor([-0.1372, -0.0343])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        *,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        exponent: float = 0.0,
        cut: int = 1,
        rows_beta: float = 0.0,
        adjust_lr_fn: str = "original",
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "exponent": exponent,
            "cut": cut,
            "rows_beta": rows_beta,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, after checking its settings."""
        settings = {**self.defaults, **param_group}
        for name, low, high in (
            ("lr", 0.0, float("inf")),
            ("weight_decay", 0.0, float("inf")),
            ("momentum", 0.0, 1.0),
            ("exponent", 0.0, 1.0),
            ("rows_beta", 0.0, 1.0),
        ):
            if not low <= float(settings[name]) <= high:
                raise InputError(
                    f"{name} is {settings[name]}", remedy=f"pass a number from {low:g} to {high:g}"
                )
        if settings["adjust_lr_fn"] not in LENGTHS:
            raise InputError(
                f"adjust_lr_fn is {settings['adjust_lr_fn']!r}",
                remedy=f"choose among {', '.join(LENGTHS)}",
            )
        super().add_param_group(param_group)
        cut = self.param_groups[-1]["cut"]
        for parameter in self.param_groups[-1]["params"]:
            if parameter.ndim < 2 or cut < 1 or parameter.shape[0] % cut:
                self.param_groups.pop()
                raise InputError(
                    f"a parameter of shape {tuple(parameter.shape)} has no {cut} parts "
                    "that are matrices",
                    remedy="give vectors to AdamW, and others a group with another cut",
                )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; a closure is evaluated first, and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                shape, parts = _parts(self._averaged(parameter, group), group["cut"])
                alike[shape].append((parameter, parts))
            for shape, pairs in alike.items():
                self._apply(pairs, shape, group)
        return loss

    def _averaged(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average: Tensor = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp(average, group["momentum"]) if group["nesterov"] else average

    def _apply(
        self,
        pairs: list[tuple[nn.Parameter, Tensor]],
        shape: tuple[int, int],
        group: dict[str, Any],
    ) -> None:
        """Step all parameters whose parts have one shape: their matrices are one batch."""
        batch = torch.cat([parts for _, parts in pairs])
        directions = _direction(batch, group["exponent"])
        rate = group["lr"] * LENGTHS[group["adjust_lr_fn"]](*shape)
        taken = directions.split([len(parts) for _, parts in pairs])
        for (parameter, _), direction in zip(pairs, taken, strict=True):
            if group["rows_beta"]:
                direction = self._even_rows(parameter, direction, group["rows_beta"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(direction.reshape(parameter.shape).to(parameter.dtype), alpha=-rate)

    def _even_rows(self, parameter: nn.Parameter, direction: Tensor, beta: float) -> Tensor:
        """Rows over the root of their running mean square, at the norm that they had together."""
        squares = direction.square().mean(-1, keepdim=True)
        state = self.state[parameter]
        if "row_squares" not in state:
            state["row_squares"] = squares.clone()
        else:
            state["row_squares"].lerp_(squares, 1 - beta)
        even = direction / (state["row_squares"].sqrt() + EPSILON)
        before, after = (torch.linalg.matrix_norm(x, keepdim=True) for x in (direction, even))
        return even * (before / (after + EPSILON))


def _parts(average: Tensor, cut: int) -> tuple[tuple[int, int], Tensor]:
    """The matrices of a parameter, stacked: a stack of matrices that is cut whole keeps its own."""
    if average.ndim > 2 and cut == average.shape[0]:
        matrices = average.flatten(2) if average.ndim > 3 else average
    else:
        matrices = average.flatten(1).reshape(cut, average.shape[0] // cut, -1)
    return (matrices.shape[1], matrices.shape[2]), matrices


def _direction(batch: Tensor, exponent: float) -> Tensor:
    if exponent == 0:
        return orthogonalized(batch)
    u, values, vh = torch.linalg.svd(batch.float(), full_matrices=False)
    powers = torch.where(values > 0, values, 1.0).pow(exponent) * (values > 0)
    length = torch.linalg.vector_norm(powers, dim=-1, keepdim=True)
    powers = powers * (values.shape[-1] ** 0.5 / torch.where(length > 0, length, 1.0))
    return (u * powers.unsqueeze(-2)) @ vh
