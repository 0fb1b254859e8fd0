"""The followed largest singular value against a float64 decomposition."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from spectrain.stability import first_frame, follow_largest
from spectrain.stability.largest import FIRST_POWERS, POWERS
from support.prescribed import with_values


def gram(w: Tensor, v: Tensor) -> Tensor:
    return w.mT @ (w @ v)


def follow(weights: list[Tensor]) -> list[tuple[float, float, float]]:
    """Value, error and truth of each of successive weights, warm from the second on."""
    frame = first_frame(weights[0].shape[1], torch.Generator().manual_seed(0))
    found = []
    for number, weight in enumerate(weights):
        one = follow_largest(
            partial(gram, weight),
            frame.to(weight.dtype),
            powers=POWERS if number else FIRST_POWERS,
        )
        frame = one.frame
        truth = torch.linalg.svdvals(weight.double())[0].item()
        found.append((one.value.item(), one.error.item(), truth))
    return found


@pytest.mark.parametrize("shape", [(96, 200), (200, 96), (128, 128)])
def test_five_warm_samples_of_a_moving_matrix_are_within_one_percent(shape):
    """Of a Gaussian matrix, whose largest values lie closest. Seen: 0.3 % at worst."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(shape, generator=generator)
    weights = [weight + 0.01 * n * torch.randn(shape, generator=generator) for n in range(5)]
    value, _, truth = follow(weights)[-1]
    assert value == pytest.approx(truth, rel=0.01)
    assert value <= truth * (1 + 1e-5)


def test_a_clear_leader_is_exact_and_its_error_says_so():
    generator = torch.Generator().manual_seed(5)
    weight = with_values(torch.linspace(5, 0.1, 60).square().double(), 60, 80, generator)
    for value, error, truth in follow([weight] * 3)[1:]:
        assert abs(value - truth) <= error + 1e-9 * truth
        assert value == pytest.approx(truth, rel=1e-6)


def test_a_crossing_is_followed():
    """A direction that overtakes the leader is among the two that are followed, or soon is."""
    one, other = torch.zeros(40, 50), torch.zeros(40, 50)
    one[0, 0], other[7, 9] = 1.0, 1.0
    noise = 0.01 * torch.randn(40, 50, generator=torch.Generator().manual_seed(2))
    weights = [(3 - 0.5 * n) * one + (1 + 0.5 * n) * other + noise for n in range(6)]
    for value, _, truth in follow(weights):
        assert value == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5), (3, 2)])
def test_small_matrices_are_exact(shape):
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    value, _, truth = follow([weight])[-1]
    assert value == pytest.approx(truth, rel=1e-7)


def test_a_batch_is_its_members():
    weights = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(4))
    frame = torch.stack([first_frame(30, torch.Generator().manual_seed(n)) for n in range(3)])
    together = follow_largest(lambda v: weights.mT @ (weights @ v), frame)
    for n in range(3):
        alone = follow_largest(partial(gram, weights[n]), frame[n])
        torch.testing.assert_close(together.value[n], alone.value, rtol=1e-5, atol=0)


def test_zero_and_broken_matrices():
    zero, broken = torch.zeros(4, 6), torch.full((4, 6), torch.nan)
    assert follow([zero])[0][0] == 0.0
    frame = first_frame(6, torch.Generator().manual_seed(0))
    weights = torch.stack([zero + 1, broken])
    found = follow_largest(lambda v: weights.mT @ (weights @ v), torch.stack([frame, frame]))
    assert found.value[0].item() == pytest.approx(24**0.5)
    assert found.value[1].isnan()
    assert torch.equal(found.frame[1], frame)
