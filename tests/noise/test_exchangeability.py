"""The test of order: how often it errs, and how soon it finds what has an order."""

from __future__ import annotations

import math

import pytest
import torch

from spectrain.noise.exchangeability import EVIDENCE, Exchangeability


def passes(steps: int, replicas: int, *, order: float, seed: int) -> Exchangeability:
    """Gradients of unit noise around a signal, with a part of its own for each position."""
    generator = torch.Generator().manual_seed(seed)
    test = Exchangeability(torch.Generator().manual_seed(seed))
    signal = torch.randn(32, generator=generator)
    own = order * torch.randn(replicas, 32, generator=generator)
    for _ in range(steps):
        test.update(signal + own + torch.randn(replicas, 32, generator=generator))
    return test


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 3, 4, 8])
def test_replicas_are_seldom_refused(replicas: int) -> None:
    """At most one in a thousand; of 200, more than three would have a probability of 5e-5."""
    refused = sum(passes(40, replicas, order=0, seed=seed).refused for seed in range(200))
    assert refused <= 3


def test_evidence_has_mean_one_at_most() -> None:
    """e-values of exchangeable steps; the mean of 400 lies within its error of 1."""
    values = torch.tensor(
        [math.exp(passes(3, 3, order=0, seed=seed).log_evidence) for seed in range(400)]
    )
    assert values.mean() - 1 < 3 * values.std() / 20


@pytest.mark.parametrize(("replicas", "steps"), [(2, 12), (3, 6), (4, 5), (8, 4)])
def test_what_keeps_its_place_is_refused(replicas: int, steps: int) -> None:
    """Without noise, as soon as the orders of so many steps are more than a thousand."""
    test = passes(steps, replicas, order=100.0, seed=0)
    assert test.can_tell
    assert test.refused


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_an_order_as_strong_as_the_noise_is_found(replicas: int) -> None:
    assert passes(30, replicas, order=1.0, seed=1).refused


def test_too_few_steps_cannot_tell() -> None:
    """Of two replicas eleven steps: one to hold the others against, and 2^10 > 1000."""
    assert not passes(10, 2, order=100.0, seed=0).can_tell
    assert passes(11, 2, order=0.0, seed=0).can_tell
    assert 2**9 < EVIDENCE < 2**10


@pytest.mark.parametrize("bad", [torch.ones(3, 4), torch.full((3, 4), torch.nan), torch.ones(1, 4)])
def test_steps_that_say_nothing_are_passed_over(bad: torch.Tensor) -> None:
    test = Exchangeability(torch.Generator())
    test.update(bad)
    assert (test.steps, test.log_evidence) == (0, 0.0)


def test_the_scale_of_a_step_does_not_matter() -> None:
    one, other = (Exchangeability(torch.Generator().manual_seed(0)) for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    for step in range(6):
        x = torch.randn(3, 8, generator=generator)
        one.update(x)
        other.update(x * 10.0**step)
    assert one.log_evidence == pytest.approx(other.log_evidence, rel=1e-5)
