"""DeepSpeed's folders: whole weights up to ZeRO-2, partitions of flat ones under ZeRO-3.

Under ZeRO-3 a weight of n numbers lies in ⌈n/N⌉ numbers of each of N ranks, one weight after the
other in the order of ``param_shapes``; the last rank's part is padded.

Source:
    Rajbhandari et al., ZeRO (2020), §5; the layout of the files as DeepSpeed's own
    ``zero_to_fp32.py`` reads it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrain.checkpoint.files import open_ordinary
from spectrain.checkpoint.layouts.joining import join_slices
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.readers.torch_file import load_tensors, part_of, read_saved
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError

CONVERT = (
    "convert them with DeepSpeed: python zero_to_fp32.py . pytorch_model.bin, in the folder that "
    "holds 'latest', and inspect pytorch_model.bin"
)

_SLICE = re.compile(r"mp_rank_(\d+)_model_states\.pt", re.ASCII)
_RANK = re.compile(r"zero_pp_rank_(\d+)_mp_rank_(\d+)_model_states\.pt", re.ASCII)
_OPTIMIZER = re.compile(
    r"(?:bf16_|fp16_)?zero_pp_rank_(\d+)_mp_rank_(\d+)_optim_states\.pt", re.ASCII
)
_LAYER = re.compile(r"layer_(\d+)-model_(\d+)-model_states\.pt", re.ASCII)
_MAX_TAG = 4096


@layout("deepspeed")
def open_deepspeed(folder: Path, open_path: Open) -> Checkpoint | None:
    """The folder with the states of the ranks, or the one that names it in ``latest``."""
    names = [path.name for path in folder.iterdir()]
    if any(_LAYER.fullmatch(name) for name in names):
        return _open_layers(folder, names, open_path)
    if slices := sorted(name for name in names if _SLICE.fullmatch(name)):
        return join_slices(folder, [open_path(folder / name) for name in slices])
    if any(_RANK.fullmatch(name) for name in names):
        return _open_partitions(folder, names)
    if (folder / "latest").is_file() and (tag := _tag(folder / "latest")) in names:
        return open_path(folder / tag)
    return None


def _tag(path: Path) -> str:
    with open_ordinary(path) as file:
        return file.read(_MAX_TAG).decode("utf-8", "replace").strip()


def _open_layers(folder: Path, names: Sequence[str], open_path: Open) -> Checkpoint:
    """Files of a pipeline: one a layer and slice."""
    layers: dict[int, list[str]] = {}
    for name in sorted(names):
        if match := _LAYER.fullmatch(name):
            layers.setdefault(int(match[1]), []).append(name)
    opened = {
        number: join_slices(folder, [open_path(folder / name) for name in files])
        for number, files in sorted(layers.items())
    }
    return Checkpoint(
        folder,
        f"deepspeed, {len(opened)} layers of a pipeline",
        tuple(
            replace(item, name=f"layers.{number}.{item.name}")
            for number, one in opened.items()
            for item in one.tensors
        ),
        tuple(skip for one in opened.values() for skip in one.skipped),
        tuple(skip for one in opened.values() for skip in one.missing),
    )


def _open_partitions(folder: Path, names: Sequence[str]) -> Checkpoint:
    states = sorted(name for name in names if _RANK.fullmatch(name))
    model = read_saved(folder / states[0])
    shapes = _shapes(model)
    ranks = {int(m[1]): name for name in names if (m := _OPTIMIZER.fullmatch(name))}
    tensors = _partitioned(folder, ranks, shapes)
    step = model.get("global_steps") if isinstance(model, Mapping) else None
    return Checkpoint(
        folder,
        f"deepspeed, ZeRO-3 of {len(ranks)} ranks",
        tensors,
        step=step if isinstance(step, int) else None,
        notes=("float32 weights of the optimizer, put together from the ranks' partitions",),
    )


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    groups = model.get("param_shapes") if isinstance(model, Mapping) else None
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        raise _unread("do not tell the shapes of the weights")
    if model.get("frozen_param_shapes"):
        raise _unread("hold frozen weights apart")
    return {
        str(name): tuple(shape)
        for group in groups
        for name, shape in group.items()
        if isinstance(shape, tuple) and all(isinstance(side, int) for side in shape)
    }


def _partitioned(
    folder: Path, ranks: Mapping[int, str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Stored, ...]:
    count = len(ranks)
    if not count or sorted(ranks) != list(range(count)):
        raise _unread("lie in *_optim_states.pt of all ranks, which are not all here")
    flats = [_flat(folder / ranks[rank], count) for rank in range(count)]
    lengths = [sum(flat.shape[0] for flat in one) for one in flats]
    wanted = sum(-(-math.prod(shape) // count) for shape in shapes.values())
    if len(set(lengths)) > 1 or lengths[0] < wanted:
        raise _unread(f"hold {lengths[0]} numbers a rank where {wanted} are needed")
    tensors, at = [], 0
    for name, shape in shapes.items():
        part = -(-math.prod(shape) // count)
        load = partial(_gathered, flats, at, part, shape)
        tensors.append(Stored(name, shape, str(flats[0][0].dtype), load))
        at += part
    return tuple(tensors)


def _flat(path: Path, count: int) -> tuple[Stored, ...]:
    saved, held = load_tensors(path)
    match saved:
        case {"optimizer_state_dict": {"fp32_flat_groups": list(groups), **state}}:
            pass
        case _:
            raise _unread("are not in the optimizer's states")
    partitions = state.get("partition_count")
    partitions = (
        max(partitions) if isinstance(partitions, list | tuple) and partitions else partitions
    )
    if state.get("zero_stage") != 3 or partitions != count:
        raise _unread("do not tell in how many partitions they lie, or in others than are here")
    flat = tuple(held[id(group)] for group in groups if id(group) in held)
    if len(flat) != len(groups) or not flat:
        raise _unread("cannot be read")
    return flat


def _gathered(
    flats: Sequence[Sequence[Stored]], at: int, part: int, shape: tuple[int, ...]
) -> Tensor:
    pieces = []
    for groups in flats:
        begin, lacking = at, part
        for group in groups:
            size = group.shape[0]
            if begin < size and lacking:
                taken = min(size - begin, lacking)
                pieces.append(part_of(group, begin, taken))
                lacking -= taken
                begin = size
            begin -= size
    return torch.cat(pieces)[: math.prod(shape)].reshape(shape)


def _unread(why: str) -> InputError:
    return InputError(f"the weights of this DeepSpeed checkpoint (ZeRO-3) {why}", remedy=CONVERT)
