"""Alignment: order, signs, degenerate subspaces."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import Triples, align, degenerate_groups, top_triples


def triples(left: torch.Tensor, right: torch.Tensor) -> Triples:
    k = left.shape[1]
    return Triples(left, torch.arange(k, 0, -1).to(left), right, torch.zeros(k).to(left))


def frames(seed: int, *, m: int = 9, n: int = 12, k: int = 5) -> Triples:
    generator = torch.Generator().manual_seed(seed)
    u = torch.linalg.qr(torch.randn(m, k, generator=generator, dtype=torch.float64)).Q
    v = torch.linalg.qr(torch.randn(n, k, generator=generator, dtype=torch.float64)).Q
    return triples(u, v)


@settings(max_examples=15)
@given(order=st.permutations(range(5)), flips=st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_permutation_with_signs_is_undone(order: list[int], flips: list[bool]) -> None:
    reference = frames(0)
    sign = torch.tensor([-1.0 if flip else 1.0 for flip in flips], dtype=torch.float64)
    mixed = triples(reference.left[:, order] * sign, reference.right[:, order] * sign)
    for method in ("hungarian", "greedy"):
        found = align(mixed, reference, method=method)
        torch.testing.assert_close(found.triples.left, reference.left)
        torch.testing.assert_close(found.triples.right, reference.right)
        torch.testing.assert_close(found.left, torch.ones(5, dtype=torch.float64))
        assert [order[i] for i in found.order] == list(range(5))


def test_one_sign_for_both_sides_cannot_hide_a_flipped_side() -> None:
    """The pair turns together: left and right of opposite sign stay so, their product negative."""
    reference = frames(0, k=1)
    flipped = triples(-reference.left, reference.right)
    found = align(flipped, reference)
    assert found.left.item() * found.right.item() == pytest.approx(-1.0)


def test_hungarian_sees_the_whole_where_greedy_grabs() -> None:
    """Similarities [[.9, .8], [.8, .1]]: greedy takes .9 + .1, the assignment .8 + .8."""
    left = torch.eye(4, dtype=torch.float64)[:, :2]
    a = torch.tensor([[0.9, 0.8], [0.8, 0.1]], dtype=torch.float64)
    rest = (1 - a.square().sum(0)).clamp(min=0).sqrt()
    replica = torch.cat([a, torch.diag(rest)])  # unit columns are not needed for the matching
    reference = triples(left, left)
    one = triples(replica, torch.cat([torch.eye(2), torch.zeros(2, 2)]).double() * 0 + 0.5)
    assert align(one, reference, method="greedy").order.tolist() == [0, 1]
    assert align(one, reference, method="hungarian").order.tolist() == [1, 0]


def test_more_candidates_than_directions() -> None:
    candidates = frames(0)
    reference = triples(candidates.left[:, 3:], candidates.right[:, 3:])
    assert align(candidates, reference).order.tolist() == [3, 4]
    with pytest.raises(InputError, match="cannot cover"):
        align(reference, candidates)


@given(angle=st.floats(0.0, 2 * math.pi))
def test_a_rotation_inside_a_degenerate_subspace_is_no_angle(angle: float) -> None:
    reference = frames(0)
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.block_diag(torch.eye(1), torch.tensor([[c, -s], [s, c]]), torch.eye(2)).double()
    turned = triples(reference.left @ turn, reference.right @ turn)
    groups = ((0, 1), (1, 3), (3, 4), (4, 5))
    found = align(turned, reference, groups=groups)
    ones = torch.ones(5, dtype=torch.float64)
    torch.testing.assert_close(found.left, ones)
    left, right = found.overlaps()
    torch.testing.assert_close(left, ones)
    torch.testing.assert_close(right, ones)
    assert {1, 2} == set(found.order[1:3].tolist())


def test_principal_angles_are_those_of_the_subspaces() -> None:
    reference, other = frames(0), frames(1)
    found = align(other, reference, groups=((0, 5),))
    cosines = torch.linalg.svdvals(reference.left.mT @ other.left)
    torch.testing.assert_close(found.left, cosines)
    expected = cosines.square().mean().expand(5)
    torch.testing.assert_close(found.overlaps()[0], expected)


@given(
    gaps=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=8),
    size=st.floats(0.0, 2.0),
)
def test_groups_cover_all_and_split_at_wide_gaps(gaps: list[float], size: float) -> None:
    values = torch.tensor([20.0, *gaps], dtype=torch.float64)
    values[1:] = 20.0 - torch.tensor(gaps, dtype=torch.float64).cumsum(0)
    found = degenerate_groups(values, torch.full((len(gaps),), size, dtype=torch.float64))
    assert [i for a, b in found for i in range(a, b)] == list(range(len(gaps) + 1))
    inside = {i for a, b in found for i in range(a, b - 1)}
    assert inside == {i for i, gap in enumerate((-values.diff()).tolist()) if gap <= size}
    with pytest.raises(InputError, match="perturbations"):
        degenerate_groups(values, torch.zeros(len(gaps) + 1, dtype=torch.float64))


def test_a_swap_of_near_values_is_followed() -> None:
    base = torch.zeros(40, 50)
    base[range(3), range(3)] = torch.tensor([5.0, 4.9, 1.0])
    swapped = base.clone()
    swapped[1, 1] = 5.1
    found = align(top_triples(swapped, 3), top_triples(base, 3))
    assert found.order.tolist() == [1, 0, 2]
    torch.testing.assert_close(found.left, torch.ones(3))
