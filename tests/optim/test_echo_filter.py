"""The echo filter: Muon where replicas agree or lack, shorter where they do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from spectrain.core import InputError
from spectrain.matrix import polar
from spectrain.noise import echo_uncorrected
from spectrain.optim import EchoFilter, MicrobatchReplicas
from spectrain.optim.echo_filter import filtered
from spectrain.rmt import SpikedMatrix


def replicas(count: int, sigma: float, *, size: int = 60) -> list[torch.Tensor]:
    """Three directions of σ = sigma·(3, 2, 1) in noise of unit norm."""
    generator = torch.Generator().manual_seed(0)
    signal = torch.zeros(size, size)
    signal[range(3), range(3)] = sigma * torch.tensor([3.0, 2.0, 1.0])
    noise = torch.randn(count, size, size, generator=generator) / size**0.5
    return list(signal + noise)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_replicas_are_muon(count: int) -> None:
    """Measured difference from the exact polar factor: 1e-6."""
    g = replicas(4, 1.0)
    moved = torch.stack(g).mean(0)[:, :20]
    expected = 3**0.5 * polar(moved).factor
    torch.testing.assert_close(filtered(moved, g[:count]), expected, rtol=0, atol=1e-5)


def test_agreeing_replicas_are_muon() -> None:
    g = replicas(1, 1.0)
    torch.testing.assert_close(filtered(g[0], g * 5), polar(g[0]).factor, rtol=0, atol=1e-4)


def test_singular_values_are_the_echoes_that_theory_gives() -> None:
    """Benaych-Georges and Nadakuditi at σ = 6, 4, 2 in 60 × 60: .973, .941, .8."""
    g = replicas(8, 2.0)
    step = torch.linalg.svdvals(filtered(torch.stack(g).mean(0), g))
    model, strengths = SpikedMatrix((60, 60), 1 / 60), [6.0, 4.0, 2.0]
    overlaps = model.left_overlap(strengths) * model.right_overlap(strengths)
    expected = torch.from_numpy(overlaps).sqrt().float()
    torch.testing.assert_close(step[:3], expected, rtol=0, atol=0.06)
    assert step[10:].max() < 0.6


def test_the_published_denominator_would_shorten_sure_directions() -> None:
    assert echo_uncorrected(1 - torch.eye(4)).max() < 0.71


def test_microbatches_reach_the_optimizer_and_are_forgotten() -> None:
    w = torch.nn.Parameter(torch.zeros(60, 60))
    optimizer = EchoFilter([w], lr=1.0, momentum=0.0, nesterov=False)
    g = replicas(4, 1.0)
    for one in g:
        (w * one).sum().backward()
    assert len(optimizer.replicas.replicas(w)) == 4
    expected = filtered(torch.stack(g).sum(0), g)
    optimizer.step()
    torch.testing.assert_close(-w.detach(), expected, rtol=0, atol=1e-4)
    assert not optimizer.replicas.replicas(w)


def test_hooks_go_away() -> None:
    w = torch.nn.Parameter(torch.ones(2, 2))
    source = MicrobatchReplicas([w])
    source.remove()
    w.sum().backward()
    assert not source.replicas(w)


def test_momentum_and_decay_are_muons() -> None:
    """Two steps against torch's Muon with an exact polar factor in place of Newton-Schulz."""
    generator = torch.Generator().manual_seed(1)
    w = torch.nn.Parameter(torch.randn(6, 4, generator=generator))
    start, optimizer = w.detach().clone(), EchoFilter([w], lr=0.1, momentum=0.9, weight_decay=0.5)
    momentum = torch.zeros_like(start)
    for _ in range(2):
        w.grad = torch.randn(6, 4, generator=generator)
        momentum = 0.9 * momentum + w.grad
        update = polar(w.grad + 0.9 * momentum).factor
        start = start * (1 - 0.1 * 0.5) - 0.1 * 1.5**0.5 * update
        optimizer.step()
    torch.testing.assert_close(w.detach(), start, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bad", [{"lr": -1.0}, {"lr": 0.1, "momentum": 1.0}])
def test_bad_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        EchoFilter([torch.nn.Parameter(torch.ones(2, 2))], **bad)
