"""Mixtures of experts: each expert an MLP of its own, and the routers that choose among them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from spectrain.core import Role, Skipped
from spectrain.network.families import Rows
from spectrain.network.mlp import mlp_of
from spectrain.network.names import EXPERTS, MLP, ROUTER, role_in, rows_of
from spectrain.network.site import Matrix
from spectrain.network.split import Pieces

_ROLES = {
    Role.MLP_IN: Role.EXPERT_IN,
    Role.MLP_GATE: Role.EXPERT_GATE,
    Role.MLP_OUT: Role.EXPERT_OUT,
}


def home_of(matrix: Matrix) -> tuple[str, str, str] | None:
    """The mixture and the container that hold an expert, and which it is; ``None`` for others.

    Example:
        >>> from spectrain.core import View
        >>> from spectrain.network.site import Weight
        >>> name = "layers.0.moe.experts.3.w1.weight"
        >>> home_of(Matrix(name, Weight("weight", name, (8, 4)), View(), (8, 4)))
        ('layers.0.moe', 'layers.0.moe.experts', '3')
    """
    parts = matrix.address.split(".")
    at = next((i for i, part in enumerate(parts[:-1]) if EXPERTS.fullmatch(part)), None)
    if at is None:
        stacked = matrix.part.startswith("expert ")
        return (matrix.parent, matrix.parent, matrix.part) if stacked else None
    numbers = (part.rpartition("_")[2] for part in parts[at:])
    expert = matrix.part or next((number for number in numbers if number.isdigit()), None)
    here = ".".join(parts[:at]), ".".join(parts[: at + 1])
    return None if expert is None else (*here, expert)


def experts_and_routers(matrices: Sequence[Matrix]) -> tuple[Pieces, list[Skipped]]:
    """The blocks of all experts, and the routers beside them.

    Returns:
        The blocks, and what stays fused, with the reason.
    """
    experts: defaultdict[tuple[str, str, str], list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        if (home := home_of(matrix)) is not None:
            experts[home].append(matrix)
    pieces: Pieces = {}
    unsplit: dict[str, Skipped] = {}
    for group in experts.values():
        for matrix in group:
            pieces[matrix.name] = [replace(matrix, role=Role.EXPERT)]
            if rows_of(matrix.address, matrix.model_type) is Rows.ALTERNATING:
                unsplit[matrix.weight.parameter] = Skipped(
                    matrix.weight.parameter, "gate and input take turns in its rows"
                )
                pieces[matrix.name] = [replace(matrix, role=Role.EXPERT_IN)]
        whole = [m for m in group if m.weight.parameter not in unsplit]
        for name, parts in mlp_of(whole, by_shape=True).items():
            pieces[name] = [replace(part, role=_ROLES[part.role]) for part in parts if part.role]
        for matrix in whole:
            role = role_in(MLP, matrix.address)
            if role and pieces[matrix.name][0].role is Role.EXPERT:
                pieces[matrix.name] = [replace(matrix, role=_ROLES[role])]
    rest = [matrix for matrix in matrices if matrix.name not in pieces]
    pieces |= {m.name: [replace(m, role=Role.ROUTER)] for m in _routers(rest, experts)}
    return pieces, list(unsplit.values())


def _routers(
    matrices: Iterable[Matrix], experts: Iterable[tuple[str, str, str]]
) -> Iterator[Matrix]:
    """What yields one number for each expert, or a single one and has a router's name."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for mixture, container, _ in experts:
        counts[mixture][container] += 1
    for matrix in matrices:
        parent = matrix.parent
        roots = (matrix.container, parent, parent.rpartition(".")[0])
        root = next((root for root in roots if root in counts), None)
        if root is not None and matrix.role is None:
            named = role_in(ROUTER, matrix.address) is not None
            rows = matrix.shape[0]
            if rows in counts[root].values() or (named and rows == 1):
                yield matrix
