"""Each rule against its namesake in torch, and batches against single runs."""

import pytest
import torch

from spectrain_studies.models.update_rules import AdamW, Momentum, Muon, apply_


def gradients(steps, shape, generator):
    return torch.randn(steps, *shape, generator=generator, dtype=torch.float64)


def train(rule, gradients, learning_rate, weight_decay):
    weight = torch.ones_like(gradients[0])
    for gradient in gradients:
        apply_(
            weight, rule.update(gradient), learning_rate=learning_rate, weight_decay=weight_decay
        )
    return weight


def train_torch(make, gradients):
    weight = torch.nn.Parameter(torch.ones_like(gradients[0]))
    optimizer = make([weight])
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


def test_adamw(generator):
    drawn = gradients(30, (6, 4), generator)
    ours = train(AdamW(beta1=0.8, beta2=0.95), drawn, 0.1, 0.3)
    theirs = train_torch(
        lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3, betas=(0.8, 0.95)), drawn
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)  # 4e-16


def test_momentum(generator):
    drawn = gradients(30, (6, 4), generator)
    ours = train(Momentum(0.9), drawn, 0.1, 0.0)
    theirs = train_torch(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), drawn)
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shape", [(12, 12), (24, 8), (8, 24)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_up_to_its_half_precision(shape, nesterov, generator):
    drawn = gradients(10, shape, generator)
    ours = train(Muon(momentum=0.9, nesterov=nesterov), drawn, 0.1, 0.3)
    theirs = train_torch(
        lambda p: torch.optim.Muon(p, lr=0.1, weight_decay=0.3, momentum=0.9, nesterov=nesterov),
        drawn,
    )
    error = (ours - theirs).norm() / theirs.norm()
    assert error < 0.03  # 0.01: torch multiplies in bfloat16


@pytest.mark.parametrize("make", [AdamW, Momentum, Muon])
def test_batched_runs_are_single_runs(make, generator):
    drawn = gradients(12, (3, 5, 4), generator)
    rates = torch.tensor([0.01, 0.1, 0.3], dtype=torch.float64)
    decays = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    together = train(make(), drawn, rates[:, None, None], decays[:, None, None])
    for run in range(3):
        alone = train(make(), drawn[:, run], rates[run].item(), decays[run].item())
        torch.testing.assert_close(together[run], alone, rtol=1e-12, atol=1e-12)  # 2e-15
