"""Checkpoints in several files: an index that says which tensor is where, or numbered names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spectrain.checkpoint.files import open_ordinary
from spectrain.checkpoint.stored import Checkpoint
from spectrain.core import InputError, Skipped

MAX_INDEX = 100_000_000

_NUMBERED = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.\w+", re.ASCII)

Reader = Callable[[Path], Checkpoint]


def read_index(path: Path, read: Reader) -> Checkpoint:
    """Open the shards that an index such as ``model.safetensors.index.json`` names.

    A shard that cannot be read loses only the tensors that the index places in it.

    Args:
        path: the index.
        read: opens one shard.

    Raises:
        InputError: the index is damaged or points outside its folder, or no shard can be read.
    """
    places = _weight_map(path)
    shards = _open_all(path, sorted(set(places.values())), read)
    merged = _merge(path, [shard for shard in shards.values() if isinstance(shard, Checkpoint)])
    held = {item.name for item in merged.tensors}
    held |= {item.parameter for item in (*merged.missing, *merged.skipped)}
    missing = list(merged.missing)
    for name, file in places.items():
        if isinstance(error := shards[file], InputError):
            missing.append(Skipped(name, str(error)))
        elif name not in held:
            missing.append(Skipped(name, f"the index places it in {file!r}, which lacks it"))
    return Checkpoint(
        path,
        merged.format,
        merged.tensors,
        merged.skipped,
        tuple(missing),
        notes=merged.notes,
        metadata=merged.metadata,
    )


def read_numbered(paths: Sequence[Path], read: Reader) -> Checkpoint:
    """Open shards ``NAME-00001-of-00003.EXT`` that came without an index.

    Raises:
        InputError: one of them is absent, or cannot be read.
    """
    match = _NUMBERED.fullmatch(paths[0].name)
    assert match is not None
    if len(paths) != int(match["count"]):
        raise InputError(
            f"{len(paths)} of the {int(match['count'])} files of {match['stem']!r} are in "
            f"{paths[0].parent.name!r}",
            remedy="fetch the others too",
        )
    return _merge(paths[0].parent, [read(path) for path in paths])


def are_numbered(paths: Sequence[Path]) -> bool:
    """Whether the files are shards of one checkpoint, by their names.

    Example:
        >>> are_numbered([Path("m-00001-of-00002.bin"), Path("m-00002-of-00002.bin")])
        True
    """
    matches = [match for path in paths if (match := _NUMBERED.fullmatch(path.name))]
    sets = {(match["stem"], match["count"]) for match in matches}
    return len(matches) == len(paths) and len(sets) == 1


def _weight_map(path: Path) -> dict[str, str]:
    name = path.name
    try:
        with open_ordinary(path) as file:
            text = file.read(MAX_INDEX + 1)
        if len(text) > MAX_INDEX:
            raise ValueError(f"more than {MAX_INDEX} bytes")
        index = json.loads(text, object_pairs_hook=_unique)
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"the index {name!r} cannot be read ({error})", remedy="fetch it again"
        ) from None
    match index:
        case {"weight_map": dict(places)} if places:
            pass
        case _:
            raise InputError(f"the index {name!r} has no weight_map", remedy="fetch it again")
    for file in places.values():
        if not isinstance(file, str) or not _inside(file):
            raise InputError(
                f"the index {name!r} points to {file!r}, outside its folder",
                remedy="do not use this checkpoint",
            )
    return places


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("it names a tensor twice")
    return unique


def _inside(file: str) -> bool:
    pure = PurePosixPath(file)
    plain = file.isprintable() and not set(file) & set("\\:")
    return plain and bool(pure.name) and not pure.is_absolute() and ".." not in pure.parts


def _open_all(
    index: Path, files: Sequence[str], read: Reader
) -> Mapping[str, Checkpoint | InputError]:
    shards: dict[str, Checkpoint | InputError] = {}
    for file in files:
        try:
            shards[file] = read(index.parent / file)
        except InputError as error:
            shards[file] = error
    errors = [shard for shard in shards.values() if isinstance(shard, InputError)]
    if len(errors) == len(shards):
        raise errors[0]
    return shards


def _merge(path: Path, shards: Sequence[Checkpoint]) -> Checkpoint:
    holders: dict[str, Path] = {}
    for shard in shards:
        for item in shard.tensors:
            if item.name in holders:
                raise InputError(
                    f"{item.name!r} is both in {holders[item.name].name!r} and {shard.path.name!r}",
                    remedy="keep one of the two files",
                )
            holders[item.name] = shard.path
    return Checkpoint(
        path,
        f"{shards[0].format}, {len(shards)} files",
        tuple(item for shard in shards for item in shard.tensors),
        tuple(item for shard in shards for item in shard.skipped),
        tuple(item for shard in shards for item in shard.missing),
        shards[0].step,
        tuple(dict.fromkeys(note for shard in shards for note in shard.notes)),
        {key: text for shard in shards for key, text in shard.metadata.items()},
    )
