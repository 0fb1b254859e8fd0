"""A copy of a model that is not watched."""

from __future__ import annotations

import copy
from collections import OrderedDict
from functools import partial
from typing import Any

from torch import nn

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy without the hooks of this project's monitor, which belong to the original.

    The original is not touched, and its other hooks, which may be part of what it computes, are
    copied. Gradients are not.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 2)
        >>> _ = layer.register_forward_hook(lambda module, given, out: out + 1)
        >>> bool(torch.equal(copied(layer)(torch.ones(1, 2)), layer(torch.ones(1, 2))))
        True
    """
    memo: dict[int, Any] = {}
    tables: list[tuple[OrderedDict[int, Any], OrderedDict[int, Any]]] = []
    for module in model.modules():
        for name in HOOKS:
            table: OrderedDict[int, Any] = getattr(module, name)
            fresh: OrderedDict[int, Any] = OrderedDict()
            memo[id(table)] = fresh
            tables.append((table, fresh))
    twin = copy.deepcopy(model, memo)
    for table, fresh in tables:
        for key, hook in table.items():
            if not _ours(hook):
                fresh[key] = copy.deepcopy(hook, memo)
    return twin


def _ours(hook: Any) -> bool:
    while isinstance(hook, partial):
        hook = hook.func
    return str(getattr(hook, "__module__", "")).startswith("spectrain.monitor.")
