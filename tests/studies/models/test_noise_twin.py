"""Twins against theory: AdamW, Muon and momentum with decoupled decay."""

import math

import pytest
import torch

from spectrain.core import InputError
from spectrain.regime import adamw_noise, equilibrium, muon_noise, sgd_noise
from spectrain_studies.models.noise_twin import noise_twin
from spectrain_studies.models.update_rules import AdamW, Momentum, Muon

RATE, DECAY = 0.05, 0.1  # 100 steps a relaxation time


def run(rule, shape, generator, **options):
    return noise_twin(
        rule,
        shape,
        twins=20,
        learning_rates=[RATE] * 600,
        weight_decay=DECAY,
        generator=generator,
        **options,
    )


@pytest.mark.parametrize("initial", [0.0, 2.0])
def test_adamw_twins_settle_at_the_theory(initial, generator):
    twin = run(AdamW, (16, 16), generator, initial=initial, lags=60)
    found = equilibrium(adamw_noise(256), learning_rate=RATE, weight_decay=DECAY)
    assert twin.squared_norms[-1].sqrt().mean().item() == pytest.approx(found.norm, rel=0.05)
    assert twin.persistence().mean().item() == pytest.approx(19, rel=0.1)  # 0.03
    assert twin.angles[-100:].mean().item() == pytest.approx(found.angular_update, rel=0.05)


def test_muon_twins_settle_at_the_theory(generator):
    twin = run(Muon, (16, 16), generator, lags=150)
    update = muon_noise((16, 16), generator=generator)
    found = equilibrium(update, learning_rate=RATE, weight_decay=DECAY)
    assert twin.squared_norms[-1].sqrt().mean().item() == pytest.approx(found.norm, rel=0.05)
    assert twin.energies.mean().item() == pytest.approx(update.energy, rel=0.02)
    assert twin.persistence().mean().item() == pytest.approx(update.persistence(), rel=0.15)


def test_momentum_twins_settle_at_the_theory(generator):
    twin = run(lambda: Momentum(0.9), (16, 16), generator)
    found = equilibrium(sgd_noise(256, momentum=0.9), learning_rate=RATE, weight_decay=DECAY)
    norms = twin.squared_norms[-200:].mean().sqrt().item()
    assert norms == pytest.approx(found.norm, rel=0.05)  # 0.01


def test_one_relaxation_time(generator):
    """The excess of ‖W‖² over its equilibrium falls to 1/e in 1/(2ηλ) steps."""
    twin = run(AdamW, (32, 32), generator, initial=3.0)
    target = equilibrium(adamw_noise(1024), learning_rate=RATE, weight_decay=DECAY).squared_norm
    left = (twin.squared_norms[99].mean() - target) / (9 * 1024 - target)
    assert left.item() == pytest.approx(math.exp(-1), rel=0.1)


def test_twins_need_steps(generator):
    with pytest.raises(InputError, match="0 twins"):
        noise_twin(AdamW, (2, 2), twins=0, learning_rates=[1], weight_decay=0, generator=generator)
    assert torch.is_tensor(run(AdamW, (2,), generator).squared_norms)
