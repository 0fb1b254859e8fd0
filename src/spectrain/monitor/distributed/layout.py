"""Layouts: how a parameter is spread over processes, and which part of a block's matrix is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from spectrain.core import Block, View
from spectrain.core.torch_private import local_part
from spectrain.monitor.distributed.team import Team

Bounds = tuple[tuple[int, int], ...]
"""For each dimension of a parameter the range that lies here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a parameter lies.

    Attributes:
        copies: sets of ranks; those of one set hold the parameter together.
        sharded: dimensions of the parameter that are cut.
        unsupported: why its spectra cannot be computed, naming the layout.
    """

    copies: tuple[tuple[int, ...], ...]
    sharded: frozenset[int] = frozenset()
    unsupported: str | None = None


def find_layouts(
    parameters: Mapping[str, nn.Parameter], names: Iterable[str], world: Team
) -> dict[str, Layout]:
    """How parameters are spread over the processes; a collective call.

    A plain tensor is held by every process in full (DDP, or left out of tensor parallelism). A mesh
    of fewer processes than there are is one of several that hold the same.
    """
    plain = Layout(tuple((rank,) for rank in world.ranks))
    meshes: dict[DeviceMesh, Tensor] = {}
    layouts = {}
    for name in names:
        parameter = parameters[name]
        if not isinstance(parameter, DTensor):
            layouts[name] = plain
            continue
        mesh = parameter.device_mesh
        if mesh not in meshes:
            meshes[mesh] = world.distinct(mesh.mesh.cpu())
        layouts[name] = _layout(parameter, meshes[mesh], len(world))
    return layouts


def _layout(parameter: DTensor, meshes: Tensor, processes: int) -> Layout:
    """The layout of a parameter on one of several meshes that hold the same."""
    if sorted(meshes.flatten().tolist()) != list(range(processes)):
        reason = "unsupported layout: the meshes do not hold every process once"
        return Layout((), unsupported=reason)
    cuts = [_cut(placement) for placement in parameter.placements]
    for placement, cut in zip(parameter.placements, cuts, strict=True):
        if cut is None and not placement.is_replicate():
            return Layout((), unsupported=f"unsupported layout: {placement!r} of a parameter")
    if why := _not_contiguous(parameter, cuts):
        return Layout((), unsupported=why)
    sharded = [axis for axis, cut in enumerate(cuts, start=1) if cut is not None]
    whole = [0, *(axis for axis, cut in enumerate(cuts, start=1) if cut is None)]
    copies = meshes.permute(*whole, *sharded).reshape(
        prod(meshes.shape[axis] for axis in whole), prod(meshes.shape[axis] for axis in sharded)
    )
    dims = frozenset(
        cut for axis, cut in enumerate(cuts, start=1) if cut is not None and meshes.shape[axis] > 1
    )
    return Layout(tuple(tuple(copy) for copy in copies.tolist()), dims)


def bounds_of(parameter: Tensor) -> Bounds:
    """Which range of every dimension is here."""
    if not isinstance(parameter, DTensor):
        return tuple((0, size) for size in parameter.shape)
    sizes, offsets = local_part(parameter)
    return tuple((start, start + size) for start, size in zip(offsets, sizes, strict=True))


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that is here, without communication."""
    return tensor.to_local().detach() if isinstance(tensor, DTensor) else tensor.detach()


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a block's matrix that is here, with its rows and columns in that matrix."""

    matrix: Tensor
    rows: Tensor
    columns: Tensor

    def put_into(self, whole: Tensor) -> None:
        """Write it to where it belongs."""
        if whole.ndim == 1:
            whole[self.rows] = self.matrix
        else:
            whole[self.rows[:, None], self.columns] = self.matrix


def piece_of(view: View, here: Tensor, bounds: Bounds, shape: Sequence[int]) -> Piece:
    """The part of the matrix ``view.of(parameter)`` that lies in ``here``.

    Args:
        view: how the matrix is read from the parameter.
        here: the local part of the parameter.
        bounds: where it lies in the parameter.
        shape: of the whole parameter.

    Example:
        >>> weight = torch.arange(12.0).reshape(4, 3)
        >>> piece = piece_of(View(transpose=True), weight[2:], ((2, 4), (0, 3)), (4, 3))
        >>> piece.matrix.shape, piece.columns.tolist()
        (torch.Size([3, 2]), [2, 3])
    """
    device = here.device
    if view.diagonal:
        return Piece(here.reshape(-1), _flat_positions(bounds, shape, device), _range((0, 1), here))
    if view.index is not None:
        (start, stop), bounds, shape = bounds[0], bounds[1:], shape[1:]
        if start <= view.index < stop:
            here = here[view.index - start]
        else:
            bounds = ((0, 0), *bounds[1:])
            here = here.new_empty([high - low for low, high in bounds])
    rows, columns = _range(bounds[0], here), _flat_positions(bounds[1:], shape[1:], device)
    matrix = here.reshape(len(rows), len(columns))
    if view.transpose:
        matrix, rows, columns = matrix.mT, columns, rows
    keep, rows = _within(rows, view.rows)
    matrix = matrix[keep]
    keep, columns = _within(columns, view.columns)
    return Piece(matrix[:, keep], rows, columns)


def cut_sides(block: Block, layout: Layout) -> tuple[bool, bool]:
    """Whether the rows, and whether the columns, of the block's matrix are cut."""
    first = 0 if block.view.index is None else 1
    rows = first in layout.sharded
    columns = any(dim > first for dim in layout.sharded)
    return (columns, rows) if block.view.transpose else (rows, columns)


def _cut(placement: object) -> int | None:
    """The dimension that a placement cuts."""
    if type(placement).__name__ in {"Shard", "_StridedShard"}:
        dim: int = placement.dim  # type: ignore[attr-defined]
        return dim
    return None


def _not_contiguous(parameter: DTensor, cuts: Sequence[int | None]) -> str | None:
    """Strided shards are those of FSDP over tensor parallelism, or else unknown."""
    mesh = parameter.device_mesh
    for axis, placement in enumerate(parameter.placements):
        if type(placement).__name__ == "_StridedShard":
            later = [mesh.size(a) for a in range(axis + 1, mesh.ndim) if cuts[a] == cuts[axis]]
            if placement.split_factor != prod(later):  # type: ignore[attr-defined]
                return f"unsupported layout: {parameter.placements!r}"
    return None


def _range(bounds: tuple[int, int], like: Tensor) -> Tensor:
    return torch.arange(*bounds, device=like.device)


def _flat_positions(bounds: Bounds, shape: Sequence[int], device: torch.device) -> Tensor:
    """Positions of a box in the flattened tensor, in the order of its own entries."""
    positions = torch.zeros((), dtype=torch.long, device=device)
    for (start, stop), size in zip(bounds, shape, strict=True):
        positions = positions[..., None] * size + torch.arange(start, stop, device=device)
    return positions.reshape(-1)


def _within(
    positions: Tensor, ranges: tuple[tuple[int, int], ...]
) -> tuple[Tensor | slice, Tensor]:
    """Which positions fall into the ranges, and where in their concatenation."""
    if not ranges:
        return slice(None), positions
    places = torch.full_like(positions, -1)
    offset = 0
    for start, stop in ranges:
        inside = (positions >= start) & (positions < stop)
        places = torch.where(inside, positions - start + offset, places)
        offset += stop - start
    keep = places >= 0
    return keep, places[keep]
