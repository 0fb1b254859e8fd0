"""The intended scale against the singular values of an exact orthogonal step."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import nn

from spectrain.optim import SpecGD
from spectrain.optim.rules import UNKNOWN_LENGTH, Length, Rule, resolve
from spectrain.optim.rules.spectral_descent import FOLLOWS_GRADIENT


def parameter(shape: tuple[int, int] = (12, 4)) -> nn.Parameter:
    found = nn.Parameter(torch.zeros(shape))
    u, _, vh = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    found.grad = u @ vh
    return found


@pytest.mark.parametrize("adjust", [None, "original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(12, 4), (4, 12)])
def test_scale_of_torch_muon(adjust: str | None, shape: tuple[int, int]) -> None:
    """An orthogonal gradient stays one; measured: σ/s in 0.7–1.2, as the quintic leaves it."""
    p = parameter(shape)
    muon = torch.optim.Muon([p], lr=0.3, weight_decay=0.0, adjust_lr_fn=adjust)
    length = resolve(muon, muon.param_groups[0]).intended(shape)
    scale = length.scale
    muon.step()
    applied = torch.linalg.svdvals(p.detach())
    assert length.reason is None
    assert scale is not None
    assert applied.mean().item() / scale == pytest.approx(0.95, abs=0.25)
    assert applied.norm().item() / sqrt(12 * 4) == pytest.approx(
        applied.mean().item() * sqrt(4 / 48), rel=1e-3
    )


def rule_of(optimizer: torch.optim.Optimizer) -> Rule:
    return resolve(optimizer, optimizer.param_groups[0])


def test_what_cannot_be_known_is_said() -> None:
    p = parameter()
    specgd, sgd = SpecGD([p], lr=0.1), torch.optim.SGD([p], lr=0.1)
    assert rule_of(specgd).intended((12, 4)) == Length(None, FOLLOWS_GRADIENT)
    assert rule_of(sgd).intended((12, 4)) == Length(None, UNKNOWN_LENGTH)
