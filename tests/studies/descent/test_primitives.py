"""Ascent reaches the suprema of the derivatives that are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spectrain_studies.descent.layered.primitives import (
    Primitive,
    norm_input,
    rms_norm_derivatives,
    run_primitive,
    softmax_derivatives,
)

NAIVE: dict[str, Callable[[Tensor], Tensor]] = {
    "rms norm": lambda x: x * x.shape[0] ** 0.5 / x.norm(dim=0),
    "softmax": lambda x: x.exp() / x.exp().sum(0),
}


@pytest.mark.parametrize(
    ("kind", "of"), [("rms norm", rms_norm_derivatives), ("softmax", softmax_derivatives)]
)
def test_derivatives_are_those_of_differences(kind: str, of: Callable[..., Any]) -> None:
    x, u = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = of(x, u)
    step = 1e-4
    here, ahead, behind = (NAIVE[kind](x + t * u) for t in (0.0, step, -step))
    torch.testing.assert_close(first, (ahead - behind) / (2 * step), rtol=0, atol=1e-6)
    torch.testing.assert_close(second, (ahead - 2 * here + behind) / step**2, rtol=0, atol=1e-5)


def test_inputs_keep_their_mean_square_in_the_interval() -> None:
    free = 100 * torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    size = norm_input(free).square().mean(0)
    assert 0.4999 < size.min() < 0.51
    assert 1.99 < size.max() < 2.0001


def test_ascent_reaches_the_suprema() -> None:
    norm = run_primitive(Primitive("rms norm", 4, 60, 0))
    assert norm["first"] == pytest.approx(2**0.5, rel=0.01)
    # ‖D²f[u, u]‖ = 2/√d·s√(4 − 3s²) at sine s, largest at s² = ⅔
    assert norm["second"] == pytest.approx(4 / 12**0.5, rel=0.01)
    soft = run_primitive(Primitive("softmax", 4, 60, 0))
    assert soft["first"] == pytest.approx(0.5, rel=0.01)
    assert soft["second"] == pytest.approx(6**0.5 / 9, rel=0.01)
