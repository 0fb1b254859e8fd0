"""Megatron's folders ``mp_rank_TT_PPP_EEE``: a slice, a stage and a share of the experts each.

Each share counts its experts from 0; here they are numbered through.

Stages of pipeline parallelism count their layers from 0; here they are numbered through. With
interleaved stages the keys ``model0``, ``model1``, … hold one chunk of layers each, and the first
chunks of all stages come before the second ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from spectrain.checkpoint.layouts.joining import join_slices
from spectrain.checkpoint.layouts.registry import Open, layout
from spectrain.checkpoint.stored import Checkpoint, Stored
from spectrain.core import InputError, Skipped

_RANK = re.compile(r"mp_rank_(\d+)(?:_(\d+))?(?:_(\d+))?", re.ASCII)
_FILES = ("model_optim_rng.pt", "model_rng.pt", "model_weights.ckpt", "model.pt")
_LAYER = re.compile(r"(?P<head>(?:.*\.)?layers)\.(?P<layer>\d+)\.(?P<tail>.*)", re.ASCII)
_EXPERT = re.compile(r"(?P<head>.*\.local_experts\.)(?P<number>\d+)(?P<tail>\..*)", re.ASCII)
_GROUPED = re.compile(r"(.*\.experts)\.(linear_fc[12])\.(weight|bias)(\d+)", re.ASCII)
"""Names of experts whose products are computed together; they become those of single ones."""
_CHUNK = re.compile(r"model(\d+)\.(.*)", re.ASCII | re.DOTALL)


@layout("megatron")
def open_megatron(folder: Path, open_path: Open) -> Checkpoint | None:
    """A folder of ranks: slices are joined, experts gathered, stages put in sequence."""
    ranks = {
        (int(match[1]), int(match[2] or 0), int(match[3] or 0)): path
        for path in sorted(folder.iterdir())
        if (match := _RANK.fullmatch(path.name)) and path.is_dir()
    }
    if not ranks:
        return None
    slices, stages, shares = (sorted({rank[side] for rank in ranks}) for side in range(3))
    if len(ranks) != len(slices) * len(stages) * len(shares) or slices != list(range(len(slices))):
        raise InputError(
            f"{folder.name!r} holds {len(ranks)} ranks of {len(slices)} slices, {len(stages)} "
            f"stages and {len(shares)} shares of the experts: these are slices of one model, and "
            "some are not there",
            remedy="fetch the others too",
        )
    opened = [
        _with_experts(
            [
                join_slices(folder, [_rank(ranks[one, stage, share], open_path) for one in slices])
                for share in shares
            ]
        )
        for stage in stages
    ]
    if _are_shares(opened):  # without stages the second number counts the shares
        return _with_experts(opened)
    return _in_line(folder, opened) if len(opened) > 1 else opened[0]


def _are_shares(ranks: Sequence[Checkpoint]) -> bool:
    """Whether ranks have experts and one set of names: of stages the first alone embeds."""
    names = [{item.name for item in rank.tensors} for rank in ranks]
    same = len(ranks) > 1 and all(one == names[0] for one in names)
    return same and any(_EXPERT.fullmatch(name) for name in names[0])


def _with_experts(shares: Sequence[Checkpoint]) -> Checkpoint:
    """One checkpoint from several that each hold a share of the experts and all else alike."""
    if len(shares) == 1:
        return shares[0]
    tensors: dict[str, Stored] = {}
    before: dict[str, int] = {}
    for one in shares:
        matched = [(item, _EXPERT.fullmatch(item.name)) for item in one.tensors]
        for item, match in matched:
            if match is None:
                tensors.setdefault(item.name, item)
                continue
            number = int(match["number"]) + before.get(match["head"], 0)
            name = f"{match['head']}{number}{match['tail']}"
            tensors[name] = replace(item, name=name)
        for head in {match["head"] for _, match in matched if match}:
            numbers = [int(m["number"]) for _, m in matched if m and m["head"] == head]
            before[head] = before.get(head, 0) + max(numbers) + 1
    notes = tuple(dict.fromkeys(note for one in shares for note in one.notes))
    missing = tuple(skip for one in shares for skip in one.missing)
    described = f"{shares[0].format}, {len(shares)} expert-parallel ranks"
    whole = tuple(tensors.values())
    return replace(shares[0], format=described, tensors=whole, missing=missing, notes=notes)


def _rank(path: Path, open_path: Open) -> Checkpoint:
    rank = open_path(_file(path))
    named = (
        replace(item, name=_GROUPED.sub(r"\1.local_experts.\4.\2.\3", item.name))
        for item in rank.tensors
    )
    return replace(rank, tensors=tuple(named))


def _file(rank: Path) -> Path:
    for name in _FILES:
        if (rank / name).is_file():
            return rank / name
    raise InputError(f"{rank.name!r} holds none of {', '.join(_FILES)}", remedy="fetch it again")


def _in_line(folder: Path, stages: Sequence[Checkpoint]) -> Checkpoint:
    tensors: dict[str, Stored] = {}
    skipped = [skip for stage in stages for skip in stage.skipped]
    for item in _numbered(stages):
        if item.name in tensors:
            skipped.append(Skipped(item.name, "a later stage's copy of the same weight"))
        else:
            tensors[item.name] = item
    return Checkpoint(
        folder,
        f"{stages[0].format}, {len(stages)} pipeline stages",
        tuple(tensors.values()),
        tuple(skipped),
        tuple(skip for stage in stages for skip in stage.missing),
        stages[0].step,
        tuple(dict.fromkeys(note for stage in stages for note in stage.notes)),
    )


def _numbered(stages: Sequence[Checkpoint]) -> Iterator[Stored]:
    """The tensors of all stages, with layers numbered through, chunk by chunk."""
    held: dict[tuple[int, int], list[Stored]] = {}
    for number, stage in enumerate(stages):
        for item in stage.tensors:
            chunk = _CHUNK.fullmatch(item.name)
            own = replace(item, name=chunk[2]) if chunk else item
            held.setdefault((int(chunk[1]) if chunk else 0, number), []).append(own)
    before: dict[str, int] = {}
    for _, items in sorted(held.items()):
        matched = [(item, _LAYER.fullmatch(item.name)) for item in items]
        for item, match in matched:
            if match:
                layer = int(match["layer"]) + before.get(match["head"], 0)
                yield replace(item, name=f"{match['head']}.{layer}.{match['tail']}")
            else:
                yield item
        for head in {match["head"] for _, match in matched if match}:
            layers = [
                int(match["layer"]) for _, match in matched if match and match["head"] == head
            ]
            before[head] = before.get(head, 0) + max(layers) + 1
