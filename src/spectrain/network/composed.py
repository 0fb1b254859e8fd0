"""Matrices that several parameters make together: low-rank adapters and weight-normed layers.

Each parameter is a block of its own, since the optimizer moves it; what the network multiplies by
is the composed matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from spectrain.core import Combination, Composition, Role, Skipped, View
from spectrain.network.names import DIRECTION, FACTOR, MAGNITUDE
from spectrain.network.site import Matrix, Weight
from spectrain.network.split import Pieces

Scales = Mapping[tuple[str, str | None], float]
"""By what an adapter multiplies B·A, by the path of its layer and its name."""

Composed = tuple[Matrix, Composition, str]
"""A composed matrix, its rule and its place among the layers."""

HIDDEN_BASE = "its magnitudes rescale a matrix that cannot be read: B·A alone is not the change"
"""Why what DoRA composes is skipped."""


def factor_roles(matrices: Iterable[Matrix]) -> Pieces:
    """The factors of adapters with their roles: A leads into the adapter, B out of it."""
    factors: Pieces = {}
    for matrix in matrices:
        if match := FACTOR.fullmatch(matrix.address):
            role = Role.ADAPTER_IN if match["side"] in {"A", "down"} else Role.ADAPTER_OUT
            factors[matrix.name] = [replace(matrix, role=role)]
    return factors


def compositions(
    matrices: Sequence[Matrix], pieces: Pieces, sizes: Mapping[str, Weight], scales: Scales
) -> Iterator[Composed | Skipped]:
    """The composed matrices of a network, and what cannot be composed, with the reason.

    Args:
        matrices: of the network.
        pieces: with their roles: a composed matrix has the role of the one that it changes.
        sizes: every weight by its address.
        scales: of adapters; 1 where none is known.
    """
    places = {matrix.address: matrix for matrix in matrices}
    yield from _products(matrices, pieces, places, sizes, scales)
    for matrix in matrices:
        module, ending = _ending(matrix.address)
        size = sizes.get(f"{module}{DIRECTION[ending]}") if ending else None
        if size is None or not _fit(size.shape, matrix.weight.shape):
            continue
        rule = Composition(Combination.WEIGHT_NORM, (matrix.weight.parameter, size.parameter))
        name = f"{matrix.weight.parameter.removesuffix(ending)}weight"
        weight = replace(matrix.weight, parameter=name, aliases=())
        yield from (
            (replace(piece, weight=weight), rule, matrix.path) for piece in pieces[matrix.name]
        )


def _products(
    matrices: Iterable[Matrix],
    pieces: Pieces,
    places: Mapping[str, Matrix],
    sizes: Mapping[str, Weight],
    scales: Scales,
) -> Iterator[Composed | Skipped]:
    pairs: dict[tuple[str, str | None], dict[Role, Matrix]] = {}
    for matrix in matrices:
        if match := FACTOR.fullmatch(matrix.address):
            role = pieces[matrix.name][0].role
            assert role is not None
            pairs.setdefault((match["base"], match["adapter"]), {})[role] = matrix
    several = {base for base, _ in pairs if sum(other == base for other, _ in pairs) > 1}
    magnitudes = {
        (match["base"], match["adapter"]): weight
        for address, weight in sizes.items()
        if (match := MAGNITUDE.fullmatch(address))
    }
    for (base, adapter), pair in pairs.items():
        if len(pair) < 2:
            continue
        down, up = pair[Role.ADAPTER_IN], pair[Role.ADAPTER_OUT]
        if down.shape[0] != up.shape[1]:
            continue
        parameters = up.weight.parameter, down.weight.parameter
        rule = Composition(Combination.PRODUCT, parameters, scales.get((base, adapter), 1.0))
        taken = base in several or f"{base}.weight" in places
        name = f"{base}.weight" + (f".{adapter or 'adapter'}" if taken else "")
        shape = up.shape[0], down.shape[1]
        whole = Matrix(
            f"{base}.weight", Weight("weight", name, shape), View(), shape, role=Role.OTHER
        )
        changed = places.get(f"{base}.base_layer.weight", places.get(f"{base}.weight"))
        if changed is not None and changed.shape != shape:
            changed = None
        if (lengths := magnitudes.get((base, adapter))) is not None:
            if changed is None or prod(lengths.shape) != shape[0]:
                yield Skipped(name, HIDDEN_BASE)
                continue
            made_of = (*parameters, lengths.parameter, changed.weight.parameter)
            rule = Composition(Combination.RESCALED, made_of, rule.scale, changed.view)
        parts = [whole] if changed is None else pieces[changed.name]
        yield from ((_like(whole, part), rule, up.path) for part in parts)


def _like(whole: Matrix, part: Matrix) -> Matrix:
    """The part of a product that changes a part of the matrix beside it."""
    view = View(rows=part.view.rows, columns=part.view.columns)
    return replace(whole, view=view, shape=part.shape, role=part.role, part=part.part)


def _ending(address: str) -> tuple[str, str]:
    """Path of a weight-normed module with its dot, and how its direction is called there."""
    end = next((ending for ending in DIRECTION if address.endswith(ending)), "")
    return address.removesuffix(end), end


def _fit(size: Sequence[int], shape: Sequence[int]) -> bool:
    alike = len(size) == len(shape)
    return alike and all(a in {1, b} for a, b in zip(size, shape, strict=True)) and prod(size) > 0
