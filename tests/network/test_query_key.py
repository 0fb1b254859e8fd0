"""Queries beside their keys, in networks of every family."""

from __future__ import annotations

import pytest
from torch import nn

from spectrain.core import Role
from spectrain.network import blocks_from_shapes
from spectrain.network.families import FAMILIES
from spectrain.network.query_key import NO_COUNT, NORMALISED, QueryKey, pair_queries

EXAMPLES = {family.name: family for family in FAMILIES}


def pairs(name: str, heads: int | bool = 2) -> tuple[QueryKey, ...]:
    family = EXAMPLES[name]
    shapes = {tensor: shape for tensor, (shape, _) in family.example.items()}
    whole, parted = (
        blocks_from_shapes(shapes.items(), heads=number, config=family.config).blocks
        for number in (False, heads)
    )
    return pair_queries(whole, parted, {})


def test_every_query_of_a_family_has_its_key():
    for name, family in EXAMPLES.items():
        roles = [role for _, roles in family.example.values() for role in roles]
        both = Role.ATTENTION_Q in roles and Role.ATTENTION_K in roles
        assert bool(pairs(name)) == both, name
        for pair in pairs(name):
            assert pair.reason is None, (name, pair.reason)
            assert pair.heads * pair.content <= sum(b.shape[0] for b in pair.queries)
            assert pair.groups * pair.content == sum(b.shape[0] for b in pair.keys)


def test_without_a_head_count_nothing_is_said():
    assert {pair.reason for pair in pairs("Llama", heads=False)} == {NO_COUNT}


def test_latent_attention_has_a_part_that_meets_other_keys():
    (pair,) = pairs("latent attention")
    assert (pair.heads, pair.groups, pair.content, pair.latent) == (2, 2, 4, True)


def test_grouped_queries_and_a_single_key():
    shapes = {"l.0.attn.q_proj.weight": (24, 12), "l.0.attn.k_proj.weight": (8, 12)}
    shapes |= {"l.0.attn.v_proj.weight": (8, 12), "l.0.attn.o_proj.weight": (12, 24)}
    whole, parted = (blocks_from_shapes(shapes.items(), heads=h).blocks for h in (False, 6))
    (pair,) = pair_queries(whole, parted, {})
    assert (pair.heads, pair.groups, pair.content, pair.latent) == (6, 2, 4, False)
    assert pair.owner(5) == (pair.queries[0], 6)
    (apart,) = pair_queries(parted, parted, {})
    assert (apart.heads, apart.groups, len(apart.queries)) == (6, 2, 6)
    assert apart.owner(5) == (apart.queries[5], 1)


@pytest.mark.parametrize(
    ("child", "normalised"),
    [
        *((name, True) for name in ("q_norm", "q_layernorm", "norm_q", "query_norm")),
        *((name, False) for name in ("q_a_layernorm", "norm", "q_proj")),
    ],
)
def test_norms_of_queries_are_told_by_their_names(child, normalised):
    attention = nn.Module()
    attention.q_proj, attention.k_proj = nn.Linear(8, 8), nn.Linear(8, 8)
    if child != "q_proj":
        setattr(attention, child, nn.RMSNorm(4))
    modules = {"attn": attention} | {f"attn.{n}": m for n, m in attention.named_children()}
    shapes = {"attn.q_proj.weight": (8, 8), "attn.k_proj.weight": (8, 8)}
    whole, parted = (blocks_from_shapes(shapes.items(), heads=h).blocks for h in (False, 2))
    (pair,) = pair_queries(whole, parted, modules)
    assert (pair.reason == NORMALISED) is normalised
