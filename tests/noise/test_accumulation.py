"""Streams of replicas that add up elsewhere, against moments of the whole stack."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectrain.core import InputError
from spectrain.noise import Power, ReplicaBuffer, ScatterStream, held_noise, moments


def stack(count: int, *, signal: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return signal + torch.randn(count, 5, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("signal", [0.0, 1.0, 1e6])
def test_scatter_of_a_running_sum_is_that_of_the_stack(signal: float) -> None:
    """Measured relative error: 4e-16, and 2e-11 where the mean is a million times the noise."""
    g, stream = stack(7, signal=signal), ScatterStream()
    total = None
    for replica in g:
        stream.update(replica, total)
        total = replica if total is None else total + replica
    whole = moments(g)
    torch.testing.assert_close(stream.scatter, whole.scatter, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(stream.sum_square, g.sum(0).square().sum())
    assert stream.count == 7


def test_a_sum_that_was_zeroed_between_replicas_is_refused() -> None:
    stream = ScatterStream()
    stream.update(torch.ones(3), None)
    with pytest.raises(InputError, match="gone"):
        stream.update(torch.ones(3), None)


@given(count=st.integers(1, 70), half=st.integers(2, 5))
def test_a_buffer_loses_no_draw(count: int, half: int) -> None:
    g, buffer = stack(count), ReplicaBuffer(capacity=2 * half)
    for draw in g:
        buffer.add(draw)
    kept, weights = buffer.replicas(), buffer.weights
    assert len(kept) <= 2 * half
    assert len(kept) >= min(count, half)
    assert sum(weights) == count
    assert len(set(weights[:-1])) <= 1
    torch.testing.assert_close(moments(kept, weights=weights).mean, g.mean(0))


def test_buffered_draws_estimate_the_same_variance_as_all_of_them() -> None:
    """16 times 64 draws: both traces within 3 % of the truth, 20."""
    found = []
    for seed in range(16):
        generator = torch.Generator().manual_seed(seed)
        buffer = ReplicaBuffer(capacity=32)
        for _ in range(64):
            buffer.add(torch.randn(5, 4, generator=generator))
        found.append(moments(buffer.replicas(), weights=buffer.weights).variance)
    assert torch.stack(found).mean().item() == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("capacity", [0, 3, 7])
def test_odd_capacities_are_refused(capacity: int) -> None:
    with pytest.raises(InputError, match="capacity"):
        ReplicaBuffer(capacity=capacity)


def test_a_buffer_copies_and_widens() -> None:
    draw, buffer = torch.ones(3, dtype=torch.bfloat16), ReplicaBuffer()
    buffer.add(draw)
    draw.zero_()
    (kept,) = buffer.replicas(scale=2.0)
    assert kept.dtype is torch.float32
    assert kept.tolist() == [2.0, 2.0, 2.0]
    assert buffer.nbytes == 12


def test_power_of_two_blocks_is_that_of_the_concatenated_gradient() -> None:
    g = stack(6)
    parts = moments(g[:, :2]).power + moments(g[:, 2:]).power
    whole = moments(g)
    for name in ("variance", "replica_variance", "signal", "mean_square", "entries"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))


def test_powers_of_different_replicas_do_not_add() -> None:
    with pytest.raises(InputError, match="different replicas"):
        moments(stack(3)).power + moments(stack(4)).power
    assert Power(1, 1.0, torch.ones(()), torch.zeros(()), 2).variance.isnan()


def test_held_noise_says_why_there_are_no_directions() -> None:
    assert held_noise(list(stack(4)[..., 0])).reason == "a vector has no singular directions"
    assert held_noise(list(stack(2))).reason == "fewer than 3 replicas"
    assert held_noise(list(0 * stack(4))).reason == "zero gradient"
