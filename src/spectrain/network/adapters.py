"""Low-rank adapters: two thin factors beside a frozen matrix, whose product changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from spectrain.core import Role
from spectrain.network.names import FACTOR
from spectrain.network.site import Matrix


def is_factor(matrix: Matrix) -> bool:
    """Whether a matrix is a factor of an adapter."""
    return FACTOR.fullmatch(matrix.path) is not None


def factor_roles(matrices: Iterable[Matrix]) -> dict[str, list[Matrix]]:
    """The factors with their roles: A leads into the adapter, B out of it."""
    found = {}
    for matrix in matrices:
        if match := FACTOR.fullmatch(matrix.path):
            role = Role.ADAPTER_IN if match["side"] == "A" else Role.ADAPTER_OUT
            found[matrix.name] = [replace(matrix, role=role)]
    return found
