"""What frameworks wrap, without its wrapping."""

from __future__ import annotations

from torch.optim import Optimizer


def bare_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer that steps, inside those that only pass the call on.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
        >>> bare_optimizer(sgd) is sgd
        True
    """
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    return optimizer
