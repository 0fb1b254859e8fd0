"""Slices of tensor parallelism put together: which side of a weight is cut is known by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

OUTPUTS = frozenset(
    [
        "wq",
        "wk",
        "wv",
        "w1",
        "w3",
        "output",
        "linear_qkv",
        "linear_q",
        "linear_kv",
        "linear_fc1",
        "query_key_value",
        "query",
        "key_value",
        "dense_h_to_4h",
        "output_layer",
        "lm_head",
        "final_linear",
        "q_proj",
        "k_proj",
        "v_proj",
        "qkv_proj",
        "gate_proj",
        "up_proj",
        "gate_up_proj",
        "c_attn",
        "c_fc",
        "fc1",
        "linear_q_up_proj",
        "linear_kv_up_proj",
    ]
)
"""Layers cut by outputs: each rank has some of the rows."""

INPUTS = frozenset(
    [
        "wo",
        "w2",
        "linear_proj",
        "linear_fc2",
        "dense",
        "dense_4h_to_h",
        "o_proj",
        "down_proj",
        "out_proj",
        "c_proj",
        "fc2",
    ]
)
"""Layers cut by inputs: each rank has some of the columns."""

TABLES = frozenset(["tok_embeddings", "word_embeddings", "embed_tokens", "wte", "embedding"])
"""Tables of tokens, cut by tokens or by features."""

WHOLE = frozenset(
    ["router", "gate", "position_embeddings", "wpe", "linear_q_down_proj", "linear_kv_down_proj"]
)
"""What every rank has as a whole."""


_MLP = (("linear_fc1", "linear_fc2"), ("dense_h_to_4h", "dense_4h_to_h"))
"""Input and output matrices whose input may hold a gate too."""


def join_slices(path: Path, ranks: Sequence[Checkpoint]) -> Checkpoint:
    """One checkpoint of those of all ranks of tensor parallelism.

    A weight counts as missing where it is not known how it is cut.

    Raises:
        InputError: the ranks do not hold the same weights.
    """
    if len(ranks) == 1:
        return replace(ranks[0], path=path)
    by_name = [{item.name: item for item in rank.tensors} for rank in ranks]
    if any(one.keys() != by_name[0].keys() for one in by_name):
        raise InputError(
            f"the {len(ranks)} ranks in {path.name!r} do not hold the same weights",
            remedy="join them with the program that wrote them",
        )
    width = _width(by_name[0])
    gated = _gated(by_name[0])
    tensors, missing = [], list(ranks[0].missing)
    for name in by_name[0]:
        try:
            whole = _joined([one[name] for one in by_name], width)
            if name in gated and isinstance(whole.load, partial):
                whole = replace(whole, load=partial(_cat_halves, *whole.load.args))
            tensors.append(whole)
        except InputError as error:
            missing.append(Skipped(name, str(error)))
    return Checkpoint(
        path,
        f"{ranks[0].format}, {len(ranks)} tensor-parallel ranks",
        tuple(tensors),
        ranks[0].skipped,
        tuple(missing),
        ranks[0].step,
        tuple(dict.fromkeys(note for rank in ranks for note in rank.notes)),
    )


def _width(held: Mapping[str, Stored]) -> int | None:
    """Width of the residual stream: the commonest length of the gains of norms."""
    gains = (t.shape[0] for n, t in held.items() if "norm" in n.lower() and len(t.shape) == 1)
    common = Counter(gains).most_common(1)
    return common[0][0] if common else None


def _gated(held: Mapping[str, Stored]) -> frozenset[str]:
    """Input matrices that hold a gate and its partner, by the width of the output matrix.

    Each rank has a slice of the one and then a slice of the other.
    """
    gated = []
    for name, item in held.items():
        for first, second in _MLP:
            out = held.get(name.replace(f"{first}.", f"{second}."))
            if out is None or out is item or len(out.shape) != 2 or not item.shape:
                continue
            if item.shape[0] == 2 * out.shape[1]:
                gated.append(name)
                bias = name.removesuffix("weight") + "bias"
                gated += [bias] if bias in held else []
    return frozenset(gated)


def _joined(slices: Sequence[Stored], width: int | None) -> Stored:
    first, count = slices[0], len(slices)
    parts = first.name.split(".")
    stem = parts[-2] if len(parts) > 1 and parts[-1] in {"weight", "bias"} else parts[-1]
    dims = len(first.shape)
    if any(len(one.shape) != dims or one.dtype != first.dtype for one in slices):
        raise InputError("its slices differ in kind", remedy="join them first")
    if stem in WHOLE or (dims < 2 and not (stem in OUTPUTS and parts[-1] == "bias")):
        return first
    if stem in OUTPUTS:
        side = 0
    elif stem in INPUTS:
        side = 1
    elif stem in TABLES:
        side = 1 if width is not None and first.shape[1] * count == width else 0
    else:
        raise InputError(
            f"one of {count} slices of it is in each rank, and it is not known which side is cut",
            remedy="join them with the program that wrote them",
        )
    shape = list(first.shape)
    shape[side] = sum(one.shape[side] for one in slices)
    others = {one.shape[:side] + one.shape[side + 1 :] for one in slices}
    if len(others) > 1:
        raise InputError("its slices do not fit together", remedy="join them first")
    return replace(first, shape=tuple(shape), load=partial(_cat, tuple(slices), side))


def _cat(slices: Sequence[Stored], side: int) -> Tensor:
    parts = [one.load() for one in slices]
    assert all(isinstance(part, Tensor) for part in parts)
    return torch.cat([part for part in parts if isinstance(part, Tensor)], side)


def _cat_halves(slices: Sequence[Stored], side: int) -> Tensor:
    """The first halves of all slices, then the second ones."""
    whole = _cat(slices, side)
    counts = [one.shape[side] // 2 for one in slices for _ in range(2)]
    parts = whole.split(counts, side)
    return torch.cat([*parts[::2], *parts[1::2]], side)
