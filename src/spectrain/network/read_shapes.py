"""A checkpoint, known by names and shapes only, read into sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spectrain.network.architecture import Architecture
from spectrain.network.names import BUFFERS, EXPERT, HEAD, NORM, is_bias, is_table, stem_of
from spectrain.network.site import Kind, Site, Weight

_CONV1D = frozenset({"c_attn", "c_proj", "c_fc", "q_attn"})


def read_shapes(
    pairs: Iterable[tuple[str, Sequence[int]]], architecture: Architecture
) -> list[Site]:
    """The modules that the tensors of a checkpoint seem to belong to."""
    modules: dict[str, list[Weight]] = {}
    named = [(name, tuple(shape)) for name, shape in pairs]
    tied = _tied(named) if architecture.tied else {}
    for name, shape in named:
        path, _, local = name.rpartition(".")
        unusable = "buffer" if local in BUFFERS else "empty" if 0 in shape else tied.get(name)
        modules.setdefault(path, []).append(Weight(local, name, shape, (), unusable))
    transposed = any(
        stem_of(f"{path}.{weight.local}") == "c_attn"
        and len(weight.shape) == 2
        and weight.shape[0] < weight.shape[1]
        for path, weights in modules.items()
        for weight in weights
    )
    return [
        Site(
            path,
            _kind(path, weights, transposed),
            tuple(weights),
            architecture.heads(path),
            model_type=architecture.model_type(path),
        )
        for path, weights in modules.items()
    ]


def _tied(pairs: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, str]:
    """Heads that repeat the table of tokens, where the configuration says that they do."""
    stems = {name: stem_of(name) for name, shape in pairs if len(shape) == 2}
    shapes = dict(pairs)
    tables = [name for name, stem in stems.items() if is_table(stem)]
    return {
        name: f"tied to {table!r}, as the configuration says"
        for name, stem in stems.items()
        if stem in HEAD
        for table in tables[:1]
        if shapes[name] == shapes[table]
    }


def _kind(path: str, weights: Sequence[Weight], transposed: bool) -> Kind:
    """How a module uses its weights, as far as names and shapes show.

    ``transposed``: linear layers of GPT-2's names are stored input × output in this checkpoint.
    """
    shapes = {weight.local: weight.shape for weight in weights}
    if "in_proj_weight" in shapes or "q_proj_weight" in shapes:
        return Kind.ATTENTION
    if any(local.startswith(("weight_ih", "weight_hh")) for local in shapes):
        return Kind.RECURRENT
    if EXPERT.search(" ".join((path, *shapes))) and any(len(s) == 3 for s in shapes.values()):
        return Kind.EXPERTS
    matrices = [local for local, shape in shapes.items() if len(shape) > 1 and not is_bias(local)]
    vectors = [local for local, shape in shapes.items() if len(shape) == 1]
    if not matrices and ("weight" in vectors or NORM.search(path.rpartition(".")[2])):
        return Kind.NORM
    if matrices != ["weight"]:
        return Kind.BARE
    if len(shapes["weight"]) > 2:
        return Kind.CONV
    stem = stem_of(f"{path}.weight")
    if is_table(stem):
        return Kind.EMBEDDING
    return Kind.LINEAR_TRANSPOSED if transposed and stem in _CONV1D else Kind.LINEAR
