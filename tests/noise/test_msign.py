"""Matrix signs of replicas against the sign of the mean."""

from __future__ import annotations

import pytest
import torch

from spectrain.core import InputError
from spectrain.matrix import newton_schulz
from spectrain.noise import additive, sign_statistics


def replicas(generator: torch.Generator, noise: float, count: int = 10) -> torch.Tensor:
    signal = torch.randn(16, 24, generator=generator, dtype=torch.float64)
    return additive(signal, replicas=count, generator=generator, row_std=noise)


def test_without_noise_the_sign_is_that_of_the_mean(generator: torch.Generator) -> None:
    found = sign_statistics(replicas(generator, 1e-6))
    assert found.share.value == pytest.approx(1.0, abs=1e-6)
    assert found.agreement.value == pytest.approx(1.0, abs=1e-6)


def test_the_sign_is_biased(generator: torch.Generator) -> None:
    """E polar(G_r) is shorter than polar(E G): the share says by how much, energy by energy."""
    found = sign_statistics(replicas(generator, 1.0, count=40))
    assert found.share.high < 0.9
    assert found.agreement.high < 0.9


def test_pure_noise_has_no_sign(generator: torch.Generator) -> None:
    x = additive(torch.zeros(16, 24), replicas=12, generator=generator)
    found = sign_statistics(x)
    assert found.snr.covers(0.0)
    assert found.agreement.value == pytest.approx(0, abs=0.05)


def test_any_iteration_can_orthonormalize(generator: torch.Generator) -> None:
    x = replicas(generator, 0.1)
    exact = sign_statistics(x)
    muon = sign_statistics(x, msign=lambda g: newton_schulz(g).factor)
    assert muon.share.value == pytest.approx(exact.share.value, abs=0.05)
    assert muon.raw_snr == exact.raw_snr


def test_bad_input() -> None:
    with pytest.raises(InputError, match="2 replicas"):
        sign_statistics(torch.zeros(2, 3, 3))
