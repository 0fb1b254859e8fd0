"""Changes: named alterations of a set-up, and those that are worth a trial for a given network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from torch import nn

from spectrain.core import Block, InputError, Role
from spectrain.network import Network
from spectrain.trials.setup import SetUp, Stepper, usual_setup

QUERY_KEY = (Role.ATTENTION_Q, Role.ATTENTION_K)
RECURRENT = (Role.RECURRENT_INPUT, Role.RECURRENT_HIDDEN)


@dataclass(frozen=True, slots=True)
class Change:
    """A named alteration of a set-up.

    Attributes:
        name: unique within a trial.
        alter: from a set-up to the altered one.
        touches: names of the parameters that it concerns.
        carries: whether the effect on a short branch carries over to the long run. That of a rate
            does not: short horizons favour rates that are too small for a long training.
        alone: tried on the base alone, in an arm of its own: it leaves other changes nothing to
            alter, so that a design cannot separate its effect from theirs.
        why: the reason for trying it.
        advised: whether whole trainings of other networks speak for it, so that
            :func:`advised_setup` starts from it.
    """

    name: str
    alter: Callable[[SetUp], SetUp]
    touches: tuple[str, ...]
    carries: bool = True
    alone: bool = False
    why: str = ""
    advised: bool = False

    def __call__(self, setup: SetUp) -> SetUp:
        """The altered set-up."""
        return self.alter(setup)


def matching(setup: SetUp, patterns: Sequence[str]) -> tuple[str, ...]:
    """Parameters whose name matches a pattern (shell wildcards).

    Raises:
        InputError: there is none.
    """
    names = tuple(
        name for name in setup.assignments if any(fnmatchcase(name, one) for one in patterns)
    )
    if not names:
        raise InputError(
            f"no parameter matches {list(patterns)}",
            remedy=f"the set-up has {', '.join(list(setup.assignments)[:5])}, …",
        )
    return names


def to_muon(
    setup: SetUp, *patterns: str, rate: float = 1.0, parts: int = 1, name: str | None = None
) -> Change:
    """Parameters to Muon, with steps as long as AdamW's (so that AdamW's rate stays right).

    Each is orthogonalized in ``parts`` equal parts along its first dimension.

    Source:
        Liu et al. 2025, arXiv:2502.16982, §2.2: 0.2·√max(m, n) matches AdamW's RMS.
    """
    names = matching(setup, patterns)
    fields = {"rule": Stepper.MUON, "length": "match_rms_adamw", "rate": rate, "cut": parts}
    return Change(
        name or f"{', '.join(patterns)} to Muon{_times(rate)}",
        lambda base: base.altered(names, **fields),
        names,
        why="ablations disagree on heads and embeddings",
    )


def to_adamw(
    setup: SetUp,
    *patterns: str,
    rate: float = 1.0,
    name: str | None = None,
    alone: bool = False,
    why: str = "queries and keys gain least from Muon (arXiv:2509.26030)",
) -> Change:
    """Parameters to AdamW at its rate."""
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} to AdamW{_times(rate)}",
        lambda base: base.altered(
            names, rule=Stepper.ADAMW, rate=rate, cut=1, exponent=0.0, rows_beta=0.0
        ),
        names,
        alone=alone,
        why=why,
    )


def cut(setup: SetUp, parts: int, *patterns: str, name: str | None = None) -> Change:
    """Parameters in equal parts along the first dimension, each orthogonalized by itself."""
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} in {parts} parts",
        lambda base: base.altered(names, cut=parts),
        names,
        why="per head it helps in some trainers and hurts in others",
    )


def exponent(setup: SetUp, power: float, *patterns: str, name: str | None = None) -> Change:
    """Muon's step U Σᵖ Vᵀ with p = ``power`` in place of 0.

    Source:
        Scheduled spectral exponents: arXiv:2605.17109.
    """
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} with exponent {power:g}",
        lambda base: base.altered(names, exponent=power),
        names,
        why="between Muon (0) and normalised momentum (1)",
    )


def even_rows(setup: SetUp, *patterns: str, beta: float = 0.95, name: str | None = None) -> Change:
    """Muon's rows over the root of their running mean square, so that neurons step alike.

    Source:
        Li et al. 2025 (NorMuon), arXiv:2510.05491.
    """
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} with even rows",
        lambda base: base.altered(names, rows_beta=beta),
        names,
        why="NorMuon's gain over Muon",
    )


def decay(setup: SetUp, value: float, *patterns: str, name: str | None = None) -> Change:
    """Another weight decay: its effect needs 1/(ηλ) steps, more than a branch has."""
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} with decay {value:g}",
        lambda base: base.altered(names, decay=value),
        names,
        carries=False,
        why="separate decay of groups",
    )


def rate(setup: SetUp, factor: float, *patterns: str, name: str | None = None) -> Change:
    """A rate of their own for parameters: what a short branch says of it does not carry over."""
    names = matching(setup, patterns)

    def alter(base: SetUp) -> SetUp:
        for one in names:
            base = base.altered([one], rate=base.assignments[one].rate * factor)
        return base

    return Change(
        name or f"{', '.join(patterns)} at {factor:g} times the rate",
        alter,
        names,
        carries=False,
        why="separate rates of groups",
    )


def candidates(setup: SetUp, network: Network) -> tuple[Change, ...]:
    """The changes of routing and granularity that people argue about, for this network.

    Recurrent matrices to Muon gate by gate, even rows, head to Muon, embedding to Muon, all to
    AdamW, queries and keys to AdamW, convolutions to AdamW, attention per head, fused projections
    apart: each only where the network has such parameters, and where the set-up does not already
    say so. What is most often worth its price comes first.

    Args:
        setup: the base that is to be changed.
        network: the blocks, best found with ``heads=True`` so that heads are known.
    """
    return tuple(_candidates(setup, network))


def advised_setup(model: nn.Module, network: Network, **rates: Any) -> SetUp:
    """Usual routing with the candidates that whole trainings of other networks spoke for.

    These are rows of even size in Muon's steps (NorMuon), and the recurrent matrices of an LSTM or
    GRU on Muon gate by gate. What they gained stands with the claims ``descent/advised-*``.

    Args:
        model: whose parameters are assigned.
        network: its blocks.
        rates: learning rates, decay and averages, as :func:`usual_setup` takes them.

    Example:
        >>> from spectrain.network import find_blocks
        >>> model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        >>> setup = advised_setup(model, find_blocks(model))
        >>> setup.assignments["1.weight"].rows_beta, setup.assignments["0.weight"].rows_beta
        (0.95, 0.0)
    """
    setup = usual_setup(model, network, **rates)
    for change in candidates(setup, network):
        if change.advised:
            setup = change(setup)
    return setup


def _candidates(setup: SetUp, network: Network) -> Iterator[Change]:
    ruled = {rule: {n for n, a in setup.assignments.items() if a.rule is rule} for rule in Stepper}
    muon = sorted(ruled[Stepper.MUON])

    def of(rule: Stepper, *roles: Role) -> list[str]:
        by_role: dict[str, set[Role]] = {}
        for block in network.blocks:
            by_role.setdefault(block.parameter, set()).add(block.role)
        return [n for n, r in by_role.items() if n in ruled[rule] and r <= set(roles)]

    recurrent = set(of(Stepper.ADAMW, *RECURRENT))
    for parts, those in sorted(_cuts(network, recurrent, per_head=False).items()):
        name = f"recurrent to Muon in {parts} gates"
        yield replace(to_muon(setup, *those, parts=parts, name=name), advised=True)
    if uneven := [n for n in muon if not setup.assignments[n].rows_beta]:
        yield replace(even_rows(setup, *uneven, name="even rows"), advised=True)
    if names := of(Stepper.ADAMW, Role.HEAD):
        yield to_muon(setup, *names, name="head to Muon")
    if names := [n for n in of(Stepper.ADAMW, Role.EMBEDDING) if n in _matrices(network)]:
        yield to_muon(setup, *names, name="embedding to Muon")
    if muon:
        why = "where Muon gains nothing, one rule for all is simpler"
        yield to_adamw(setup, *muon, name="all to AdamW", alone=True, why=why)
    if names := of(Stepper.MUON, *QUERY_KEY):
        yield to_adamw(setup, *names, name="queries and keys to AdamW")
    convolutions = of(Stepper.MUON, Role.CONV)
    if convolutions and set(convolutions) < set(muon):
        why = "a kernel is flattened to a matrix, for want of a better reading"
        yield to_adamw(setup, *convolutions, name="convolutions to AdamW", why=why)
    for parts, those in sorted(_cuts(network, ruled[Stepper.MUON], per_head=True).items()):
        yield cut(setup, parts, *those, name=f"attention per head, {parts} parts")
    for parts, those in sorted(_cuts(network, ruled[Stepper.MUON], per_head=False).items()):
        yield cut(setup, parts, *those, name=f"fused projections in {parts} parts")


def _matrices(network: Network) -> set[str]:
    """Parameters that are one matrix as they stand."""
    return {b.parameter for b in network.blocks if b.view.index is None and not b.view.rows}


def _cuts(network: Network, chosen: set[str], *, per_head: bool) -> dict[int, list[str]]:
    """Parameters by the number of equal parts along the first dimension that their blocks are."""
    by_parts: dict[int, list[str]] = {}
    for name in sorted(chosen):
        blocks = [block for block in network.blocks if block.parameter == name]
        headed = any(".head " in block.name or "[head " in block.name for block in blocks)
        if len(blocks) > 1 and headed is per_head and _equal_rows(blocks):
            by_parts.setdefault(len(blocks), []).append(name)
    return by_parts


def _equal_rows(blocks: Sequence[Block]) -> bool:
    """Whether blocks are consecutive equal row ranges of their parameter."""
    views = [block.view for block in blocks]
    plain = all(len(v.rows) == 1 and not v.columns and not v.transpose for v in views)
    return plain and len({prod(block.shape) for block in blocks}) == 1


def _times(rate: float) -> str:
    return "" if rate == 1 else f" at {rate:g} times the rate"
