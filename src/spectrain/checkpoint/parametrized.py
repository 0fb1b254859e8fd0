"""Weights that are made of a raw parameter: spectrally normed, pruned, or by another rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Product, Stored
from spectrain.core import InputError, Skipped

_RAW = re.compile(
    r"(?P<module>.*\.)?(?:parametrizations\.(?P<new>\w+)\.original|(?P<old>\w+)_orig)", re.ASCII
)
_STATE = re.compile(r"(?:.*\.)?parametrizations\.\w+\.\d+\..+", re.ASCII)
RAW = "the raw parameter of a parametrization: the layer multiplies by what that makes of it"


def join_parametrized(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with the weight that a layer multiplies by in place of its raw parameter.

    W/σ of ``spectral_norm``, with σ = uᵀWv of the vectors that are stored, and W ∘ mask of
    ``torch.nn.utils.prune``; what another parametrization makes of its parameter cannot be known,
    and a note says so.

    Source:
        Miyato et al. 2018, "Spectral normalization for generative adversarial networks", §2.1.
    """
    named = {item.name: item for item in checkpoint.tensors}
    weights: dict[str, Stored] = {}
    of: dict[str, str] = {}
    for item in checkpoint.tensors:
        match = _RAW.fullmatch(item.name)
        if match is None:
            continue
        module, own = match["module"] or "", match["new"] or match["old"]
        whole = f"{module}{own}"
        old, new = f"{module}{own}_", f"{module}parametrizations.{own}.0._"
        u, v = (
            named.get(f"{old}{side}" if match["old"] else f"{new}{side}") for side in ("u", "v")
        )
        mask = named.get(f"{old}mask") if match["old"] else None
        made: Callable[[], Tensor] | None = None
        parts: tuple[Stored, ...] = ()
        if u is not None and v is not None:
            made, note, parts = partial(_normed, item, u, v), "W/σ of a spectrally normed", (u, v)
        elif mask is not None and mask.shape == item.shape:
            made, note, parts = partial(_masked, item, mask), "what is kept of a pruned", (mask,)
        if made is not None and whole not in named:
            weights[item.name] = Stored(whole, item.shape, item.dtype, made, f"{note} layer")
            of |= {part.name: whole for part in (item, *parts)}
        elif match["new"]:
            weights[item.name] = replace(item, note=item.note or RAW)
    if not weights:
        return checkpoint
    state = {name for name in named if _STATE.fullmatch(name)} - of.keys()
    return replace(
        checkpoint,
        tensors=tuple(_kept(checkpoint, weights, of.keys() | state)),
        skipped=(
            *checkpoint.skipped,
            *(Skipped(name, f"a part of {whole!r}") for name, whole in of.items()),
            *(Skipped(name, "a buffer of a parametrization") for name in sorted(state)),
        ),
    )


def _kept(checkpoint: Checkpoint, weights: Mapping[str, Stored], left: set[str]) -> list[Stored]:
    tensors = checkpoint.tensors
    return [weights.get(t.name, t) for t in tensors if t.name in weights or t.name not in left]


def _normed(item: Stored, *vectors: Stored) -> Tensor:
    """W/σ, where W is cut into rows along the first side or, transposed, along the second."""
    weight, u, v = (_dense(one) for one in (item, *vectors))
    products = []
    for side in range(min(weight.ndim, 2)):
        matrix = weight.movedim(side, 0).flatten(1)
        if matrix.shape == (u.numel(), v.numel()):
            products.append(float(u.flatten() @ matrix @ v.flatten()))
    if not products:
        raise InputError(
            f"its vectors {tuple(u.shape)} and {tuple(v.shape)} do not fit {tuple(weight.shape)}",
            remedy="save the layer without its norm: torch.nn.utils.remove_spectral_norm",
        )
    # Where both sides fit, the vectors belong to that with the larger product.
    return weight / max(products, key=abs)


def _masked(item: Stored, mask: Stored) -> Tensor:
    return _dense(item) * _dense(mask)


def _dense(stored: Stored) -> Tensor:
    whole = stored.load()
    if isinstance(whole, Product):
        raise InputError(
            f"{stored.name!r} is a product of factors", remedy="inspect merged weights"
        )
    return whole.to(torch.promote_types(whole.dtype, torch.float32))
