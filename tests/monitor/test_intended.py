"""The intended scale against the singular values of an exact orthogonal step."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import nn

from spectrain.monitor.probes.intended import (
    FOLLOWS_GRADIENT,
    UNKNOWN_SCALE,
    intended_scale,
    is_spectral,
)
from spectrain.optim import SpecGD


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
    scale, reason = intended_scale(muon, muon.param_groups[0], shape)
    muon.step()
    applied = torch.linalg.svdvals(p.detach())
    assert reason is None
    assert scale is not None
    assert applied.mean().item() / scale == pytest.approx(0.95, abs=0.25)
    assert applied.norm().item() / sqrt(12 * 4) == pytest.approx(
        applied.mean().item() * sqrt(4 / 48), rel=1e-3
    )


def test_what_cannot_be_known_is_said() -> None:
    p = parameter()
    specgd = SpecGD([p], lr=0.1)
    assert intended_scale(specgd, specgd.param_groups[0], (12, 4)) == (None, FOLLOWS_GRADIENT)
    sgd = torch.optim.SGD([p], lr=0.1)
    assert intended_scale(sgd, sgd.param_groups[0], (12, 4)) == (None, UNKNOWN_SCALE)


def test_which_groups_are_spectral() -> None:
    p = parameter()
    mixed = SpecGD([{"params": [p]}], lr=0.1, step="euclidean")
    flagged = torch.optim.SGD([{"params": [p], "use_muon": True}], lr=0.1)
    assert not is_spectral(mixed, mixed.param_groups[0])
    assert is_spectral(flagged, flagged.param_groups[0])
    assert not is_spectral(torch.optim.AdamW([p]), {"params": [p]})
