"""SpecGD: steepest descent in the operator norm, mixed with Euclidean steps where asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import InputError, Step
from spectrain.matrix import newton_schulz, polar

Factor = Literal["exact", "quintic", "cubic", "polar_express"]


class SpecGD(Optimizer):
    """Spectral gradient descent W ← W − η‖G‖_*·polar(G), Euclidean in groups that ask for it.

    With η = 1/L_op this is the natural spectral step; a group with ``step="euclidean"`` takes
    W ← W − ηG, with η = 1/L_F. A vector (a norm gain, a bias) is the diagonal of a matrix: its
    spectral step is γ ← γ − η‖g‖₁·sign(g). Tensors of more dimensions are flattened to matrices
    (first dimension × the rest).

    With ``cut=k`` the k equal parts along the first dimension take a spectral step each, with its
    own nuclear norm: q, k and v of a fused projection, heads, or the experts of an (E, m, n) stack
    for k = E.

    Args:
        params: parameters or groups; a group may set ``lr``, ``step``, ``factor`` and ``cut`` of
            its own.
        lr: η.
        step: ``"spectral"`` or ``"euclidean"``.
        factor: how the polar factor is computed: by an exact SVD or an iteration of five steps.
        cut: number k of parts along the first dimension.

    Raises:
        InputError: ``lr`` is negative, ``step`` or ``factor`` is unknown, or a parameter does not
            have k equal parts.

    Source:
        Carlson et al. 2015; Davis & Drusvyatskiy, §1.2, §4.4 and §4.5.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.diag(torch.tensor([3.0, 1.0])))
        >>> w.grad = w.detach().clone()
        >>> SpecGD([w], lr=0.25).step()  # ‖G‖_* = 4, polar(G) = I
        >>> w.detach().diagonal()
        tensor([2., 0.])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        step: Step | str = Step.SPECTRAL,
        factor: Factor = "exact",
        cut: int = 1,
    ) -> None:
        super().__init__(params, {"lr": lr, "step": str(step), "factor": factor, "cut": cut})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, after checking its settings."""
        settings = {**self.defaults, **param_group}
        if not float(settings["lr"]) >= 0:
            raise InputError(f"lr is {settings['lr']}", remedy="pass a number ≥ 0")
        if settings["step"] not in tuple(Step):
            raise InputError(
                f"step is {settings['step']!r}", remedy=f"choose among {', '.join(Step)}"
            )
        if settings["factor"] not in ("exact", "quintic", "cubic", "polar_express"):
            raise InputError(
                f"factor is {settings['factor']!r}",
                remedy="choose among exact, quintic, cubic, polar_express",
            )
        super().add_param_group(param_group)
        cut = self.param_groups[-1]["cut"]
        for parameter in self.param_groups[-1]["params"]:
            if cut < 1 or (cut > 1 and (not parameter.ndim or parameter.shape[0] % cut)):
                self.param_groups.pop()
                raise InputError(
                    f"a parameter of shape {tuple(parameter.shape)} has no {cut} equal parts",
                    remedy="give it a group with another cut",
                )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; a closure is evaluated first, and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = _direction(parameter.grad, group)
                    parameter.add_(direction.to(parameter.dtype), alpha=-group["lr"])
        return loss


def _direction(gradient: Tensor, group: dict[str, Any]) -> Tensor:
    if group["step"] == Step.EUCLIDEAN:
        return gradient
    if group["cut"] == 1:
        return _spectral(gradient, group["factor"])
    parts = gradient.chunk(group["cut"])
    stacked = gradient.ndim > 2 and parts[0].shape[0] == 1
    steps = [_spectral(part[0] if stacked else part, group["factor"]) for part in parts]
    return torch.stack(steps) if stacked else torch.cat(steps)


def _spectral(gradient: Tensor, factor: Factor) -> Tensor:
    if gradient.ndim < 2:
        return gradient.float().abs().sum() * gradient.sign()
    matrix = gradient.flatten(1)
    if factor == "exact":
        factors = polar(matrix).factor
    else:
        factors = newton_schulz(matrix, iteration=factor).factor
    nuclear = (matrix.double() * factors.double()).sum()
    return (nuclear * factors).reshape(gradient.shape)
