"""Megatron's folders ``mp_rank_TT`` and ``mp_rank_TT_PPP``: a slice and a stage of the model each.

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

LATEST = "latest_checkpointed_iteration.txt"

_RANK = re.compile(r"mp_rank_(\d+)(?:_(\d+))?(?:_\d+)?", re.ASCII)
_FILES = ("model_optim_rng.pt", "model_rng.pt", "model_weights.ckpt", "model.pt")
_LAYER = re.compile(r"(?P<head>(?:.*\.)?layers)\.(?P<layer>\d+)\.(?P<tail>.*)", re.ASCII)
_CHUNK = re.compile(r"model(\d+)\.(.*)", re.ASCII | re.DOTALL)


@layout("megatron")
def open_megatron(folder: Path, open_path: Open) -> Checkpoint | None:
    """A folder of ranks: slices are joined, stages are put one behind the other."""
    ranks = {
        (int(found[1]), int(found[2] or 0)): path
        for path in sorted(folder.iterdir())
        if (found := _RANK.fullmatch(path.name)) and path.is_dir()
    }
    if not ranks:
        return None
    slices, stages = (sorted({rank[side] for rank in ranks}) for side in (0, 1))
    if len(ranks) != len(slices) * len(stages) or slices != list(range(len(slices))):
        raise InputError(
            f"{folder.name!r} holds {len(ranks)} ranks of {len(slices)} slices and {len(stages)} "
            "stages: these are slices of one model, and some are not there",
            remedy="fetch the others too",
        )
    opened = [
        join_slices(folder, [open_path(_file(ranks[one, stage])) for one in slices])
        for stage in stages
    ]
    return _in_line(folder, opened) if len(opened) > 1 else opened[0]


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
        found = [(item, _LAYER.fullmatch(item.name)) for item in items]
        for item, match in found:
            if match:
                layer = int(match["layer"]) + before.get(match["head"], 0)
                yield replace(item, name=f"{match['head']}.{layer}.{match['tail']}")
            else:
                yield item
        for head in {match["head"] for _, match in found if match}:
            layers = [int(match["layer"]) for _, match in found if match and match["head"] == head]
            before[head] = before.get(head, 0) + max(layers) + 1
