"""Which tensors of two checkpoints are the same weight: by names without wrappers, or by shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError, Skipped

WRAPPERS = frozenset(
    {
        "module",
        "_orig_mod",
        "_fsdp_wrapped_module",
        "_checkpoint_wrapped_module",
        "_forward_module",
        "base_layer",
        "modules_to_save",
    }
)
"""Components that data parallelism, compilation, checkpointing and adapters add to names."""

_ADAPTER = "base_model.model."
_KOHYA = re.compile(r"(?:lora|lycoris)_[a-z]+\d?_(?P<rest>[^.]+)\.weight", re.ASCII)


def plain_name(name: str) -> str:
    """A name without what wrappers have added.

    Example:
        >>> plain_name("module._orig_mod.h.0.weight"), plain_name("base_model.model.h.0.weight")
        ('h.0.weight', 'h.0.weight')
    """
    name = name.removeprefix(_ADAPTER)
    kept = [part for part in name.split(".") if part not in WRAPPERS]
    return ".".join(kept) or name


def aligned(
    before: Checkpoint, after: Checkpoint, *, by_shape: bool = False
) -> tuple[Checkpoint, Checkpoint]:
    """The two with one name for what is one weight: that of the first.

    Names that differ by wrappers are one; then those that differ by a prefix that all have. With
    ``by_shape`` the others are paired by shape, where each checkpoint has as many of a shape, in
    their order.

    Args:
        before: whose names are kept, without wrappers.
        after: whose names are changed.
        by_shape: whether shapes may decide, for a model that was renamed.
    """
    one, two = _unwrapped(before), _unwrapped(after)
    names = {item.name for item in one.tensors}
    two = _renamed(two, _by_prefix(names, [*(item.name for item in two.tensors), *two.onto]))
    two = _renamed(two, _by_flat_name(names, [*(item.name for item in two.tensors), *two.onto]))
    if by_shape:
        two = _renamed(two, _by_shape(one, two))
    return one, two


def _unwrapped(checkpoint: Checkpoint) -> Checkpoint:
    plain = {item.name: plain_name(item.name) for item in checkpoint.tensors}
    if len(set(plain.values())) < len(plain):
        return checkpoint
    others = {skip.parameter: plain_name(skip.parameter) for skip in checkpoint.missing}
    return _renamed(checkpoint, {**plain, **others, **_onto(checkpoint)})


def _onto(checkpoint: Checkpoint) -> dict[str, str]:
    return {name: plain_name(name) for name in checkpoint.onto}


def _renamed(checkpoint: Checkpoint, mapping: Mapping[str, str]) -> Checkpoint:
    def name(old: str) -> str:
        return mapping.get(old, old)

    return replace(
        checkpoint,
        tensors=tuple(replace(item, name=name(item.name)) for item in checkpoint.tensors),
        missing=tuple(Skipped(name(s.parameter), s.reason) for s in checkpoint.missing),
        onto={name(old): onto for old, onto in checkpoint.onto.items()},
    )


def _by_prefix(names: set[str], others: Sequence[str]) -> dict[str, str]:
    """New names for ``others``, where one prefix more or less makes most of them known."""
    known = sum(other in names for other in others)
    best, mapping = known, dict[str, str]()
    prefixes = {other.partition(".")[0] + "." for other in others if "." in other}
    for prefix in prefixes:
        tried = {other: other.removeprefix(prefix) for other in others}
        if (matching := sum(new in names for new in tried.values())) > best:
            best, mapping = matching, tried
    for prefix in {name.partition(".")[0] + "." for name in names if "." in name}:
        tried = {other: prefix + other for other in others}
        if (matching := sum(new in names for new in tried.values())) > best:
            best, mapping = matching, tried
    return {old: new for old, new in mapping.items() if new in names}


def _by_flat_name(names: set[str], others: Sequence[str]) -> dict[str, str]:
    """New names for those of kohya, which have underscores for dots: the only one that fits.

    Example:
        >>> _by_flat_name({"down.0.to_q.weight"}, ["lora_unet_down_0_to_q.weight"])
        {'lora_unet_down_0_to_q.weight': 'down.0.to_q.weight'}
    """
    flat: dict[str, list[str]] = {}
    for name in names:
        flat.setdefault(name.removesuffix(".weight").replace(".", "_"), []).append(name)
    renamed = {}
    for other in others:
        if (match := _KOHYA.fullmatch(other)) and other not in names:
            stem = match["rest"]
            fits = [f for f in flat if stem == f or f.endswith(f"_{stem}")]
            if len(fits) == 1 and len(flat[fits[0]]) == 1:
                renamed[other] = flat[fits[0]][0]
    return renamed


def _by_shape(one: Checkpoint, two: Checkpoint) -> dict[str, str]:
    """Pairs of weights without a namesake, by shape and order.

    Raises:
        InputError: of a shape one checkpoint has more than the other.
    """
    common = {item.name for item in one.tensors} & {item.name for item in two.tensors}
    left: list[dict[tuple[int, ...], list[str]]] = [{}, {}]
    for held, checkpoint in zip(left, (one, two), strict=True):
        for item in checkpoint.tensors:
            if item.name not in common:
                held.setdefault(item.shape, []).append(item.name)
    pairs: dict[str, str] = {}
    for shape in left[0].keys() & left[1].keys():
        old, new = left[0][shape], left[1][shape]
        if len(old) != len(new):
            raise InputError(
                f"{len(old)} weights of shape {shape} in {one.path.name!r} and {len(new)} in "
                f"{two.path.name!r} have no namesakes: shape and order do not tell which is which",
                remedy="rename them, or leave out --by-shape",
            )
        pairs |= dict(zip(new, old, strict=True))
    return pairs
