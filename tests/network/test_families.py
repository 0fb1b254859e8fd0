"""Every naming family against its own example."""

from __future__ import annotations

import re

import pytest

from spectrain.core import InputError, Role
from spectrain.network import blocks_from_shapes
from spectrain.network.families import FAMILIES, Family, names_of


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
class TestContract:
    def test_example_has_its_roles(self, family: Family) -> None:
        pairs = [(name, shape) for name, (shape, _) in family.example.items()]
        found: dict[str, list[Role]] = {name: [] for name in family.example}
        for block in blocks_from_shapes(pairs, config=family.config).blocks:
            found[block.parameter].append(block.role)
        assert found == {name: list(roles) for name, (_, roles) in family.example.items()}

    def test_example_shows_every_role_that_it_names(self, family: Family) -> None:
        shown = {role for _, roles in family.example.values() for role in roles}
        split = {
            Role.ATTENTION_QKV: {Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V},
            Role.ATTENTION_KV: {Role.ATTENTION_K, Role.ATTENTION_V},
        }
        kinds = {role.kind for role in shown}
        for role in family.names:
            assert role in shown or split.get(role, {role}) <= shown or role.kind in kinds, role

    def test_names_are_as_they_are_compared(self, family: Family) -> None:
        names = [name for text in family.names.values() for name in text.split()]
        assert all(re.fullmatch(r"[a-z0-9_.]+", name) for name in names)
        assert family.models


def test_two_families_must_agree_on_a_name() -> None:
    one = Family("one", "", {Role.ATTENTION_Q: "first"}, {})
    two = Family("two", "", {Role.ATTENTION_K: "first"}, {})
    assert names_of([one, two], [Role.ATTENTION_Q]) == {"first": Role.ATTENTION_Q}
    with pytest.raises(InputError, match="family 'two' gives 'first'"):
        names_of([one, two], [Role.ATTENTION_Q, Role.ATTENTION_K])
