from dataclasses import replace
from math import inf, log

import pytest
import torch
from torch.nn import functional

from spectrain.training import DivergenceError, TrainConfig
from spectrain.training.corpus import Corpus, step_generator
from spectrain.training.gpt import GPT
from spectrain.training.trainer import Trainer

CORPUS = Corpus.from_text("How many roads must a man walk down? " * 50, name="song")
CONFIG = TrainConfig(
    layers=1, width=16, heads=2, context=8, batch_size=3, accumulation=2, clip=0.0, steps=10
)


def make(**settings):
    return Trainer.of(replace(CONFIG, **settings), CORPUS)


def gradient(trainer):
    return torch.cat([parameter.grad.flatten() for parameter in trainer.model.parameters()])


def test_the_gradient_is_that_of_the_mean_loss_over_all_windows():
    trainer, other = make(), make()
    loss = trainer.backward(7)
    tokens, targets = CORPUS.batch("train", size=6, context=8, generator=step_generator(0, 7))
    expected = functional.cross_entropy(other.model(tokens).flatten(0, 1), targets.flatten())
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(gradient(trainer), gradient(other))


def test_the_gradient_is_clipped_to_a_norm():
    free, clipped = make(), make(clip=0.01)
    free.backward(0)
    clipped.backward(0)
    assert gradient(free).norm() > 0.02
    assert gradient(clipped).norm().item() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(
        gradient(clipped), 0.01 * gradient(free) / gradient(free).norm(), rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_update_is_made_at_the_rate_of_the_step_and_spends_the_gradient(optimizer):
    trainer = make(optimizer=optimizer, warmup=0.5, cooldown=0.0)
    trainer.backward(0)
    trainer.update(0)
    for each in trainer.optimizers:
        assert all(group["lr"] == 0.2 * group["initial_lr"] for group in each.param_groups)
    assert all(parameter.grad is None for parameter in trainer.model.parameters())
    start = make(optimizer=optimizer)
    assert not torch.equal(trainer.model.head.weight, start.model.head.weight)


def test_evaluation_is_repeatable_and_leaves_nothing_behind():
    trainer = make()
    loss = trainer.evaluate()
    assert loss == trainer.evaluate() == make(seed=1).evaluate()  # the head starts at zero
    assert loss == pytest.approx(log(len(CORPUS.alphabet)), rel=1e-6)
    assert all(parameter.grad is None for parameter in trainer.model.parameters())
    assert trainer.model.training


def test_the_held_out_windows_do_not_depend_on_the_seed():
    one, other = make(seed=0).held_out, make(seed=1).held_out
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_a_loss_that_is_no_number_is_named(monkeypatch):
    loss = GPT.loss
    monkeypatch.setattr(GPT, "loss", lambda self, *batch: inf * loss(self, *batch))
    with pytest.raises(DivergenceError, match="the loss is inf at step 4; lower the learning"):
        make().backward(4)
