"""Queries beside the keys that they meet: which matrices make the logits of an attention."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from spectrain.core import Block, Role
from spectrain.network.names import parent_of

NO_COUNT = "no head count was found"
NORMALISED = "queries and keys are normalised: no logit exceeds √d times their gains"
UNEQUAL = "queries of {} and keys of {} rows are not those of {} heads"

_NORMS = re.compile(r"(?:q|query|qk)_?(?:layer_?norm|norm|ln)|(?:norm|ln)_?(?:q|query)")
_DECLARED = ("qk_norm", "use_qk_norm", "qk_layernorm", "qk_layer_norm")


@dataclass(frozen=True, slots=True)
class QueryKey:
    """The query and key matrices of one attention.

    Attributes:
        queries: blocks with the rows of all query heads, in their order.
        keys: likewise of the key heads, each shared by as many query heads as there are groups of.
        heads: number of query heads.
        groups: number of key heads.
        content: leading rows of a head that meet the keys: latent attention has further ones, which
            carry positions and meet another matrix. All rows elsewhere.
        reason: why nothing can be said of its logits; then nothing else counts but the queries.
    """

    queries: tuple[Block, ...]
    keys: tuple[Block, ...]
    heads: int = 0
    groups: int = 0
    content: int = 0
    reason: str | None = None

    @property
    def latent(self) -> bool:
        """Whether a part of each head's logits comes from elsewhere."""
        return self.heads > 0 and self.content * self.heads < _rows(self.queries)

    def owner(self, head: int) -> tuple[Block, int]:
        """The block that holds a query head (from 0), and the head's number in it (from 1)."""
        each = self.heads // len(self.queries)
        return self.queries[head // each], head % each + 1


def pair_queries(
    blocks: Sequence[Block], parted: Sequence[Block], modules: Mapping[str, nn.Module]
) -> tuple[QueryKey, ...]:
    """Queries with their keys, an entry for each attention of which both are among the blocks.

    Args:
        blocks: whose matrices are at hand.
        parted: blocks of the same network with heads apart, which show how many there are.
        modules: of the network, by name.

    Example:
        >>> from spectrain.network import find_blocks
        >>> layer = nn.MultiheadAttention(8, num_heads=2)
        >>> whole, parted = (find_blocks(layer, heads=h).blocks for h in (False, True))
        >>> (pair,) = pair_queries(whole, parted, {"": layer})
        >>> pair.heads, pair.groups, pair.content, [block.name for block in pair.queries]
        (2, 2, 4, ['in_proj_weight[q]'])
    """
    whole = {block.name for block in blocks}
    count = Counter((part.parameter, part.role) for part in parted if part.name not in whole)
    sides: dict[str, dict[Role, list[Block]]] = {}
    for block in blocks:
        if block.role in (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_KV_DOWN):
            home = sides.setdefault(parent_of(block.parameter), {})
            home.setdefault(block.role, []).append(block)
    pairs = []
    for parent, side in sides.items():
        queries, keys = side.get(Role.ATTENTION_Q, []), side.get(Role.ATTENTION_K, [])
        if queries and keys:
            latent = Role.ATTENTION_KV_DOWN in side
            pair = _pair(queries, keys, count, latent=latent)
            if normalises_queries(parent, modules):
                pair = QueryKey(pair.queries, pair.keys, reason=NORMALISED)
            pairs.append(pair)
    return tuple(pairs)


def normalises_queries(parent: str, modules: Mapping[str, nn.Module]) -> bool:
    """Whether an attention declares or holds a norm of its queries, after their projection.

    Example:
        >>> attention = nn.Module()
        >>> attention.q_norm = nn.RMSNorm(4)
        >>> normalises_queries("attn", {"attn": attention, "attn.q_norm": attention.q_norm})
        True
    """
    holder: Any = modules.get(parent)
    declared = any(
        getattr(one, name, None) is True
        for one in (holder, getattr(holder, "config", None))
        for name in _DECLARED
    )
    return declared or any(_NORMS.fullmatch(name) for name in _children(parent, modules))


def _children(parent: str, modules: Mapping[str, nn.Module]) -> Iterator[str]:
    prefix = f"{parent}." if parent else ""
    for name in modules:
        if name.startswith(prefix):
            yield name.removeprefix(prefix).lower()


def _pair(
    queries: Sequence[Block],
    keys: Sequence[Block],
    count: Mapping[tuple[str, Role], int],
    *,
    latent: bool,
) -> QueryKey:
    those = tuple(queries), tuple(keys)
    heads = _heads(queries, count)
    groups = heads if latent else _heads(keys, count)  # out of a latent each head has a key
    if not heads or not groups:
        return QueryKey(*those, reason=NO_COUNT)
    content, rest = divmod(_rows(keys), groups)
    width, more = divmod(_rows(queries), heads)
    fits = not rest and not more and heads % groups == 0 and heads % len(queries) == 0
    if not fits or (width != content and not (latent and width > content)):
        return QueryKey(*those, reason=UNEQUAL.format(_rows(queries), _rows(keys), heads))
    return QueryKey(*those, heads, groups, content)


def _heads(blocks: Sequence[Block], count: Mapping[tuple[str, Role], int]) -> int:
    """How many heads some blocks hold together; 0 where that is not known."""
    if len(blocks) > 1:
        return len(blocks)
    (block,) = blocks
    return count.get((block.parameter, block.role), 0)


def _rows(blocks: Sequence[Block]) -> int:
    return sum(block.shape[0] for block in blocks)
