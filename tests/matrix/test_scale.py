"""Scaling by powers of two rounds nothing."""

from __future__ import annotations

import math

import pytest
import torch

from spectrain.matrix.scale import unit_scale


@pytest.mark.parametrize(
    "number", [1.0, 1.999, 2.0, 1e-310, 5e-324, 1e200, torch.finfo(torch.float64).max]
)
def test_is_exact_over_the_whole_range(number: float) -> None:
    matrix = torch.tensor([[number, -number, 0.0]], dtype=torch.float64)
    unit, scale = unit_scale(matrix, matrix.abs().amax(), torch.float64)
    assert 1 <= unit.abs().max() < 2
    assert math.frexp(scale.item())[0] == 0.5
    assert (unit * scale).equal(matrix)


def test_zero_stays_and_what_is_not_finite_becomes_zero() -> None:
    stack = torch.tensor([[[0.0]], [[math.inf]], [[3.0]]])
    largest = stack.abs().amax(dim=(-2, -1)).double()
    unit, _ = unit_scale(stack, largest, torch.float32)
    assert unit.flatten().tolist() == [0.0, 0.0, 1.5]
