"""Names as the bare model has them, whatever wraps it: DDP, torch.compile, checkpointing."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from spectrain.core.torch_private import every_child

WRAPPERS = {
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "OffloadWrapper": "_checkpoint_wrapped_module",
}
"""Class of a wrapper → name of its child. By name, so that none of them is imported for this."""


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside all wrappers.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 2)
        >>> unwrapped(torch.compile(layer, backend="eager")) is layer
        True
    """
    while (child := _inner(module)) is not None:
        module = child
    return module


def modules_of(model: nn.Module) -> dict[str, nn.Module]:
    """Every module by its bare name, in the order of ``model.named_modules()``, each once.

    Example:
        >>> import torch
        >>> list(modules_of(nn.Sequential(torch.compile(nn.Linear(2, 2), backend="eager"))))
        ['', '0']
    """
    return dict(_walk(unwrapped(model), "", set()))


def parameters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every parameter by its bare name; a tied one under each of its names.

    Example:
        >>> import torch
        >>> list(parameters_of(torch.compile(nn.Linear(2, 2), backend="eager")))
        ['weight', 'bias']
    """
    parameters = {}
    for path, module in _every_path(unwrapped(model), ""):
        for local, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            parameters[f"{path}.{local}".lstrip(".")] = parameter
    return parameters


def own_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every parameter once, by the first of its bare names: as the bare model lists its own.

    Example:
        >>> import torch
        >>> list(own_parameters(torch.compile(nn.Linear(2, 2), backend="eager")))
        ['weight', 'bias']
    """
    by_identity: dict[int, tuple[str, nn.Parameter]] = {}
    for name, parameter in parameters_of(model).items():
        by_identity.setdefault(id(parameter), (name, parameter))
    return dict(by_identity.values())


def _inner(module: nn.Module) -> nn.Module | None:
    for kind in type(module).__mro__:
        if kind.__name__ in WRAPPERS and kind.__module__.startswith("torch."):
            return module.get_submodule(WRAPPERS[kind.__name__])
    return None


def _walk(module: nn.Module, path: str, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    yield path, module
    for name, child in module.named_children():
        yield from _walk(unwrapped(child), f"{path}.{name}".lstrip("."), seen)


def _every_path(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Like ``named_modules(remove_duplicate=False)``."""
    yield path, module
    for name, child in every_child(module):
        yield from _every_path(unwrapped(child), f"{path}.{name}".lstrip("."))
