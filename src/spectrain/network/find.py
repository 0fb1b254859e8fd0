"""The blocks of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from types import MappingProxyType

from torch import nn

from spectrain.core import Block, InputError, Role, Skipped
from spectrain.core.notebook import small_table
from spectrain.network.architecture import Architecture
from spectrain.network.composed import Scales, compositions
from spectrain.network.depth import Layering
from spectrain.network.layout import matrices_of
from spectrain.network.read_module import adapter_scales, read_module
from spectrain.network.read_shapes import read_shapes
from spectrain.network.roles import assign_roles
from spectrain.network.site import Kind, Matrix, Site


@dataclass(frozen=True, slots=True)
class Network:
    """The blocks of a network, and the parameters that are not blocks.

    Attributes:
        blocks: in the order of the parameters; their names are unique.
        skipped: parameters that are not blocks, each with the reason.
        composed: matrices that no parameter holds but several make, such as B·A of an adapter; the
            factors are among the blocks.
        unsplit: parameters whose blocks stay fused, or whole where heads were asked for, each with
            the reason.
    """

    blocks: tuple[Block, ...]
    skipped: tuple[Skipped, ...]
    unsplit: tuple[Skipped, ...] = ()
    composed: tuple[Block, ...] = ()

    def __repr__(self) -> str:
        return f"Network({len(self.blocks):,} blocks, {len(self.skipped):,} skipped)"

    def _repr_html_(self) -> str:
        rows = ((b.name, b.role, b.layer or "–", "×".join(map(str, b.shape))) for b in self.blocks)
        head = ("block", "role", "layer", "shape")
        return small_table(repr(self), rows, head=head, total=len(self.blocks))


def find_blocks(
    model: nn.Module,
    *,
    heads: bool | int = False,
    overrides: Mapping[str, Role | str] | None = None,
) -> Network:
    """The blocks of a model: every trainable matrix with its role, depth and what feeds it.

    Every parameter is either read by blocks, each of its entries by exactly one, or skipped with a
    reason. A tied parameter counts once; its other names are aliases. Fused projections come as
    separate blocks for q, k and v, or gate and input.

    Args:
        model: any module; nothing is computed with it.
        heads: split the attention's blocks into heads; a number says how many query heads each
            attention has, where the model does not declare it.
        overrides: roles by pattern (shell wildcards, or the exact name) on the blocks' names; of
            several that match, the last one decides.

    Raises:
        InputError: ``heads`` is not positive, a pattern matches no block, or there is no such role.

    Source:
        What feeds a block in the criterion: Davis & Drusvyatskiy, "When do spectral gradient
        updates help in deep learning?", Table 1.

    Example:
        >>> network = find_blocks(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)))
        >>> [(block.name, block.role.value, block.shape) for block in network.blocks]
        [('0.weight', 'mlp.in', (32, 8)), ('2.weight', 'mlp.out', (8, 32))]
        >>> network.skipped[0]
        Skipped(parameter='0.bias', reason='1-D bias')
    """
    return _network(read_module(model), heads, overrides or {}, adapter_scales(model))


def blocks_from_shapes(
    pairs: Iterable[tuple[str, Sequence[int]]],
    *,
    heads: bool | int = False,
    overrides: Mapping[str, Role | str] | None = None,
    config: Mapping[str, object] | None = None,
) -> Network:
    """The blocks of a checkpoint, from the names and shapes of its tensors alone.

    Nothing feeds them: there is no model. Buffers under their usual names are skipped.

    Args:
        pairs: name and shape of every tensor.
        heads: the number of query heads of each attention, where its blocks are to be split.
        overrides: as in :func:`find_blocks`.
        config: what ``config.json`` beside the checkpoint holds: numbers of heads and experts, the
            architecture, whether the head is tied.

    Raises:
        InputError: as :func:`find_blocks`.

    Example:
        >>> shapes = {"h.0.attn.c_attn.weight": (64, 192), "h.0.attn.c_proj.weight": (64, 64)}
        >>> [block.name for block in blocks_from_shapes(shapes.items()).blocks][:2]
        ['h.0.attn.c_attn.weight[q]', 'h.0.attn.c_attn.weight[k]']
    """
    network = _network(read_shapes(pairs, Architecture(config or {})), heads, overrides or {})
    blocks = tuple(replace(b, literal_input=None, criterion_input=None) for b in network.blocks)
    return replace(network, blocks=blocks)


def _network(
    sites: Sequence[Site],
    heads: bool | int,
    overrides: Mapping[str, Role | str],
    scales: Scales = MappingProxyType({}),
) -> Network:
    if heads is not False and heads < 1:
        raise InputError(f"heads is {heads}", remedy="pass True, False or a positive number")
    width = _width(sites)
    held = [item for site in sites for item in matrices_of(site, width)]
    unusable = {w.parameter: w.unusable for site in sites for w in site.weights if w.unusable}
    skipped = [item for item in held if isinstance(item, Skipped)]
    matrices = [item for item in held if isinstance(item, Matrix)]

    layering = Layering(matrix.path for matrix in matrices)
    weights = {f"{s.path}.{w.local}".lstrip("."): w for s in sites for w in s.weights}
    pieces, unsplit = assign_roles(matrices, layering, heads, weights)
    blocks = [
        _block(piece, layering, matrix.path)
        for matrix in matrices
        if matrix.weight.parameter not in unusable
        for piece in pieces[matrix.name]
    ]
    made = list(compositions(matrices, pieces, weights, scales))
    skipped += [item for item in made if isinstance(item, Skipped)]
    composed = [
        replace(
            _block(matrix, layering, path),
            composition=rule,
            literal_input=None,
            criterion_input=None,
        )
        for matrix, rule, path in (item for item in made if not isinstance(item, Skipped))
        if any(name not in unusable for name in rule.parameters)
    ]
    named = _overridden([*blocks, *composed], overrides)
    return Network(
        named[: len(blocks)],
        tuple(Skipped(name, reason) for name, reason in unusable.items())
        + tuple(skip for skip in skipped if skip.parameter not in unusable),
        tuple(skip for skip in unsplit if skip.parameter not in unusable),
        named[len(blocks) :],
    )


def _width(sites: Iterable[Site]) -> int | None:
    """Width of the residual stream: that of the first embedding."""
    tables = (w for site in sites if site.kind is Kind.EMBEDDING for w in site.weights)
    return next((table.shape[1] for table in tables if len(table.shape) == 2), None)


def _block(matrix: Matrix, layering: Layering, path: str) -> Block:
    assert matrix.role is not None, matrix.name
    return Block(
        name=matrix.name,
        role=matrix.role,
        depth=layering.depth(path),
        shape=matrix.shape,
        parameter=matrix.weight.parameter,
        view=matrix.view,
        aliases=matrix.weight.aliases,
        literal_input=matrix.feed,
        criterion_input=matrix.criterion or matrix.feed,
        stack=layering.stack(path),
    )


def _overridden(blocks: Sequence[Block], overrides: Mapping[str, Role | str]) -> tuple[Block, ...]:
    roles = {}
    for pattern, given in overrides.items():
        if given not in tuple(Role):
            raise InputError(
                f"the pattern {pattern!r} is given the role {given!r}",
                remedy=f"choose among {', '.join(Role)}",
            )
        names = [b.name for b in blocks if b.name == pattern or fnmatchcase(b.name, pattern)]
        if not names:
            near = get_close_matches(pattern, [block.name for block in blocks], n=1, cutoff=0.0)
            raise InputError(
                f"the pattern {pattern!r} of a role matches no block",
                remedy=f"compare it with names such as {near} (wildcards: * and ?)",
            )
        roles.update(dict.fromkeys(names, Role(given)))
    return tuple(replace(block, role=roles.get(block.name, block.role)) for block in blocks)
