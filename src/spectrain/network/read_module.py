"""A live model, read into sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from spectrain.network.architecture import Architecture
from spectrain.network.names import EXPERT, GAINS, NORM, is_bias
from spectrain.network.site import Kind, Site, Weight
from spectrain.network.wrapping import modules_of, parameters_of

_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_CONV_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_SHAPED_NORM = (nn.LayerNorm, nn.RMSNorm)
_RESCALING = frozenset({"_WeightNorm", "_SpectralNorm"})
"""Parametrizations that change no more than the lengths of the rows."""

MULTIPLIER = "Multiplier"
"""Class of :mod:`spectrain.optim.multipliers` that holds one vector of multipliers."""


def read_module(model: nn.Module) -> list[Site]:
    """All modules of ``model`` that own parameters, in the order of registration.

    A tied parameter belongs to the embedding that uses it, else to its first module; its name is
    the one under which the bare model's ``named_parameters()`` lists it, whatever wraps it.
    """
    modules = modules_of(model)
    kinds = {path: kind_of(module, path) for path, module in modules.items()}
    names: dict[int, list[str]] = {}
    for name, parameter in parameters_of(model).items():
        names.setdefault(id(parameter), []).append(name)

    users: dict[int, list[_Place]] = {}
    for place, parameter in _places(modules):
        users.setdefault(id(parameter), []).append(place)

    for path, module in modules.items():
        if isinstance(module, nn.MultiheadAttention):
            # The attention multiplies by this weight itself: no forward is called, no hook fires.
            kinds[f"{path}.out_proj".lstrip(".")] = Kind.BARE

    owned: dict[str, list[Weight]] = {path: [] for path in modules}
    for place, parameter in _places(modules):
        places = users[id(parameter)]
        home = next((p for p in places if kinds[p.path] is Kind.EMBEDDING), places[0])
        if place == home:
            alike = (p.path for p in places if p.local == place.local and p != place)
            elsewhere = tuple(path for path in alike if kinds[path] is kinds[place.path])
            weight = _weight(place.local, parameter, names[id(parameter)])
            weight = replace(weight, elsewhere=elsewhere, direct=place.direct)
            owned[place.path].append(weight)

    sites = []
    for path, module in modules.items():
        if owned[path]:
            heads, kind = _declared(modules, path)
            groups = getattr(module, "groups", 1) if isinstance(module, _CONV_TRANSPOSED) else 1
            sites.append(Site(path, kinds[path], tuple(owned[path]), heads, groups, kind))
    return sites


def kind_of(module: nn.Module, path: str = "") -> Kind:
    """How a module uses its weights: by its type, else by its form.

    Example:
        >>> kind_of(nn.Conv2d(3, 8, 3)).name, kind_of(nn.RMSNorm(8)).name
        ('CONV', 'NORM')
    """
    if isinstance(module, nn.MultiheadAttention):
        return Kind.ATTENTION
    if isinstance(module, nn.Embedding):
        return Kind.EMBEDDING
    if isinstance(module, nn.Linear):
        return Kind.LINEAR
    if isinstance(module, _CONV):
        return Kind.CONV
    if isinstance(module, _CONV_TRANSPOSED):
        return Kind.CONV_TRANSPOSED
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return Kind.RECURRENT
    return _kind_by_form(module, path)


def _kind_by_form(module: nn.Module, path: str) -> Kind:
    class_name = type(module).__name__
    shapes = {name: _shape(parameter) for name, parameter in _own(module)}
    if class_name == MULTIPLIER:
        return Kind.MULTIPLIER
    if NORM.search(class_name) or NORM.search(path.rpartition(".")[2]):
        gains = [shape for name, shape in shapes.items() if name in GAINS and shape]
        if any(isinstance(module, _SHAPED_NORM) or max(s) == prod(s) for s in gains):
            return Kind.NORM
    if EXPERT.search(f"{path} {class_name}") and any(len(s) == 3 for s in shapes.values()):
        return Kind.EXPERTS
    matrices = [name for name, shape in shapes.items() if len(shape) > 1 and not is_bias(name)]
    leaf = next(module.children(), None) is None
    if matrices != ["weight"] or len(shapes["weight"]) != 2 or not leaf:
        return Kind.BARE
    if "embed" in class_name.lower():
        return Kind.EMBEDDING
    rows, columns = shapes["weight"]
    outputs = getattr(module, "nf", None) or shapes.get("bias", (rows,))[0]
    input_first = outputs == columns and (rows != columns or hasattr(module, "nf"))
    return Kind.LINEAR_TRANSPOSED if input_first else Kind.LINEAR


def _own(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return module.named_parameters(recurse=False, remove_duplicate=False)


def _shape(parameter: nn.Parameter) -> tuple[int, ...]:
    return () if is_lazy(parameter) else tuple(parameter.shape)


class _Place(NamedTuple):
    """Where a parameter is used: the module, its name there, and whether it is multiplied by."""

    path: str
    local: str
    direct: bool


def _places(modules: Mapping[str, nn.Module]) -> Iterator[tuple[_Place, nn.Parameter]]:
    """Every use of a parameter; a parametrized one belongs to the module that is parametrized."""
    for path, module in modules.items():
        inside, parametrized, weight = path.rpartition("parametrizations.")
        for local, parameter in _own(module):
            if parametrized:
                rescaled = all(type(part).__name__ in _RESCALING for part in module.children())
                name = f"parametrizations.{weight}.{local}"
                yield _Place(inside.rstrip("."), name, rescaled), parameter
            else:
                yield _Place(path, local, True), parameter


def _weight(local: str, parameter: nn.Parameter, names: list[str]) -> Weight:
    shape = _shape(parameter)
    unusable = None
    if is_lazy(parameter):
        unusable = "not initialised yet (lazy)"
    elif not parameter.requires_grad:
        unusable = "frozen"
    elif parameter.numel() == 0:
        unusable = "empty"
    elif torch.is_complex(parameter):
        unusable = "complex"
    return Weight(local, names[0], shape, tuple(names[1:]), unusable)


def adapter_scales(model: nn.Module) -> dict[tuple[str, str | None], float]:
    """By what each adapted layer multiplies B·A, as far as it declares it."""
    scales: dict[tuple[str, str | None], float] = {}
    for path, module in modules_of(model).items():
        scaling: Any = getattr(module, "scaling", None)
        for adapter, scale in (scaling if isinstance(scaling, dict) else {None: scaling}).items():
            if isinstance(scale, (int, float)):
                scales[path, adapter] = float(scale)
    return scales


def _declared(modules: Mapping[str, nn.Module], path: str) -> tuple[int | None, str | None]:
    """Heads and architecture that the module, or the nearest one around it, declares."""
    heads = kind = None
    around: str | None = path
    while around is not None:
        module: Any = modules[around]
        for holder in (Architecture(module), Architecture(getattr(module, "config", None))):
            heads = heads or holder.heads(path)
            kind = kind or holder.model_type(path)
        around = around.rpartition(".")[0] if around else None
    return heads, kind
