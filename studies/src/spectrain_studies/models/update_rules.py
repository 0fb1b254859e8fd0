"""Optimizers as batched tensor programs: many independent runs in one step.

Leading dimensions of a parameter are runs; learning rates and decays may differ from run to run.
Each rule agrees with its namesake in torch (tests). All decays are decoupled: W ← (1 − ηλ)W − ηκu.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.matrix.polar import newton_schulz

Rate = float | Float[Tensor, "*runs"]


class UpdateRule(Protocol):
    """Turns a gradient into the update u at learning rate 1; keeps its own state."""

    def update(self, gradient: Float[Tensor, "*runs shape"]) -> Float[Tensor, "*runs shape"]:
        """The update of this step."""


@dataclass(slots=True)
class AdamW:
    """The update u = m̂/(√v̂ + ε), m and v exponential averages of g and g², bias corrected.

    Loshchilov & Hutter 2019, algorithm 2; as `torch.optim.AdamW`.

    Example:
        >>> AdamW().update(torch.tensor([[2.0, -3.0]]))  # the first step is the sign
        tensor([[ 1.0000, -1.0000]])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    _step: int = field(default=0, init=False)
    _first: Tensor | None = field(default=None, init=False)
    _second: Tensor | None = field(default=None, init=False)

    def update(self, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The update of this step."""
        if self._first is None or self._second is None:
            self._first, self._second = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self._step += 1
        self._first.lerp_(gradient, 1 - self.beta1)
        self._second.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        corrected = sqrt(1 - self.beta2**self._step)
        scale = self._second.sqrt().div_(corrected).add_(self.eps)
        return self._first.div(scale).div_(1 - self.beta1**self._step)


@dataclass(slots=True)
class Momentum:
    """The heavy ball u ← μu + g; as `torch.optim.SGD`, but for the decay: decoupled here.

    Example:
        >>> rule = Momentum(momentum=0.5)
        >>> _ = rule.update(torch.ones(1))
        >>> rule.update(torch.ones(1))
        tensor([1.5000])
    """

    momentum: float = 0.9
    _buffer: Tensor | None = field(default=None, init=False)

    def update(self, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The update of this step."""
        if self._buffer is None:
            self._buffer = torch.zeros_like(gradient)
        self._buffer.mul_(self.momentum).add_(gradient)
        return self._buffer.clone()


@dataclass(slots=True)
class Muon:
    """The update u = κ NS₅((1−μ)g + μb), b ← μb + (1−μ)g, κ = √max(1, rows/columns).

    As `torch.optim.Muon`, which multiplies in bfloat16; here in the gradient's dtype.

    Example:
        >>> step = Muon().update(torch.eye(2))
        >>> 0.6 < step[0, 0] < 1.2
        tensor(True)
    """

    momentum: float = 0.95
    nesterov: bool = True
    steps: int = 5
    _buffer: Tensor | None = field(default=None, init=False)

    def update(self, gradient: Float[Tensor, "*runs m n"]) -> Float[Tensor, "*runs m n"]:
        """The update of this step."""
        if self._buffer is None:
            self._buffer = torch.zeros_like(gradient)
        self._buffer.lerp_(gradient, 1 - self.momentum)
        average = gradient.lerp(self._buffer, self.momentum) if self.nesterov else self._buffer
        rows, columns = gradient.shape[-2:]
        kappa = sqrt(max(1.0, rows / columns))
        return newton_schulz(average, steps=self.steps).factor * kappa


def apply_(
    weight: Float[Tensor, "*shape"],
    update: Float[Tensor, "*shape"],
    *,
    learning_rate: Rate,
    weight_decay: Rate,
) -> None:
    """Step in place, W ← (1 − ηλ)W − ηu; η and λ are numbers or broadcast against W.

    Example:
        >>> weight = torch.ones(2, 1)
        >>> rates = torch.tensor([[0.1], [0.5]])
        >>> apply_(weight, torch.ones(2, 1), learning_rate=rates, weight_decay=0.0)
        >>> weight.flatten().tolist()
        [0.8999999761581421, 0.5]
    """
    weight.mul_(1 - learning_rate * weight_decay).sub_(update * learning_rate)
