"""Changes: named alterations of a set-up, and those that are worth a trial for a given network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod

from spectrain.core import Block, InputError, Role
from spectrain.network import Network
from spectrain.trials.setup import SetUp, Stepper

QUERY_KEY = (Role.ATTENTION_Q, Role.ATTENTION_K)
ATTENTION = (*QUERY_KEY, Role.ATTENTION_V, Role.ATTENTION_QKV)


@dataclass(frozen=True, slots=True)
class Change:
    """A named alteration of a set-up.

    Attributes:
        name: unique within a trial.
        alter: from a set-up to the altered one.
        touches: names of the parameters that it concerns.
        carries: whether a short branch tells of the long run. That of a rate does not: short
            horizons favour rates that are too small for a long training.
        why: what speaks for trying it.
    """

    name: str
    alter: Callable[[SetUp], SetUp]
    touches: tuple[str, ...]
    carries: bool = True
    why: str = ""

    def __call__(self, setup: SetUp) -> SetUp:
        """The altered set-up."""
        return self.alter(setup)


def matching(setup: SetUp, patterns: Sequence[str]) -> tuple[str, ...]:
    """Parameters whose name matches a pattern (shell wildcards).

    Raises:
        InputError: there is none.
    """
    found = tuple(
        name for name in setup.assignments if any(fnmatchcase(name, one) for one in patterns)
    )
    if not found:
        raise InputError(
            f"no parameter matches {list(patterns)}",
            remedy=f"the set-up has {', '.join(list(setup.assignments)[:5])}, …",
        )
    return found


def to_muon(setup: SetUp, *patterns: str, rate: float = 1.0, name: str | None = None) -> Change:
    """Parameters to Muon, with steps as long as AdamW's (so that AdamW's rate stays right).

    Source:
        Liu et al. 2025, arXiv:2502.16982, §2.2: 0.2·√max(m, n) matches AdamW's RMS.
    """
    names = matching(setup, patterns)
    fields = {"rule": Stepper.MUON, "length": "match_rms_adamw", "rate": rate}
    return Change(
        name or f"{', '.join(patterns)} to Muon{_times(rate)}",
        lambda base: base.altered(names, **fields),
        names,
        why="ablations disagree on heads and embeddings",
    )


def to_adamw(setup: SetUp, *patterns: str, rate: float = 1.0, name: str | None = None) -> Change:
    """Parameters to AdamW at its rate."""
    names = matching(setup, patterns)
    return Change(
        name or f"{', '.join(patterns)} to AdamW{_times(rate)}",
        lambda base: base.altered(names, rule=Stepper.ADAMW, rate=rate, cut=1, exponent=0.0),
        names,
        why="queries and keys gain least from Muon (arXiv:2509.26030)",
    )


def cut(setup: SetUp, parts: int, *patterns: str, name: str | None = None) -> Change:
    """Parameters in equal parts along the first dimension, each orthogonalized for itself."""
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

    Head to Muon, embedding to Muon, queries and keys to AdamW, attention per head, fused
    projections apart, convolutions to AdamW: each only where the network has such parameters, and
    where the set-up does not already say so.

    Args:
        setup: the base that is to be changed.
        network: the blocks, best found with ``heads=True`` so that heads are known.
    """
    return tuple(_candidates(setup, network))


def _candidates(setup: SetUp, network: Network) -> Iterator[Change]:
    ruled = {rule: {n for n, a in setup.assignments.items() if a.rule is rule} for rule in Stepper}

    def of(rule: Stepper, *roles: Role) -> list[str]:
        by_role: dict[str, set[Role]] = {}
        for block in network.blocks:
            by_role.setdefault(block.parameter, set()).add(block.role)
        return [n for n, r in by_role.items() if n in ruled[rule] and r <= set(roles)]

    if names := of(Stepper.ADAMW, Role.HEAD):
        yield to_muon(setup, *names, name="head to Muon")
    if names := of(Stepper.ADAMW, Role.EMBEDDING):
        yield to_muon(setup, *names, name="embedding to Muon")
    if names := of(Stepper.MUON, *QUERY_KEY):
        yield to_adamw(setup, *names, name="queries and keys to AdamW")
    if names := of(Stepper.MUON, Role.CONV):
        yield to_adamw(setup, *names, name="convolutions to AdamW")
    for parts, those in sorted(_cuts(network, ruled[Stepper.MUON], per_head=True).items()):
        yield cut(setup, parts, *those, name=f"attention in {parts} heads")
    for parts, those in sorted(_cuts(network, ruled[Stepper.MUON], per_head=False).items()):
        yield cut(setup, parts, *those, name=f"fused projections in {parts} parts")


def _cuts(network: Network, chosen: set[str], *, per_head: bool) -> dict[int, list[str]]:
    """Parameters by the number of equal parts along the first dimension that their blocks are."""
    found: dict[int, list[str]] = {}
    for name in sorted(chosen):
        blocks = [block for block in network.blocks if block.parameter == name]
        headed = any(".head " in block.name or "[head " in block.name for block in blocks)
        if len(blocks) > 1 and headed is per_head and _equal_rows(blocks):
            found.setdefault(len(blocks), []).append(name)
    return found


def _equal_rows(blocks: Sequence[Block]) -> bool:
    """Whether blocks are consecutive equal row ranges of their parameter."""
    views = [block.view for block in blocks]
    plain = all(len(v.rows) == 1 and not v.columns and not v.transpose for v in views)
    return plain and len({prod(block.shape) for block in blocks}) == 1


def _times(rate: float) -> str:
    return "" if rate == 1 else f" at {rate:g} times the rate"
