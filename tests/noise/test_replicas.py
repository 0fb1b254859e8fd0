"""Replicas leave everything as it was, and are what a training loop would compute."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from spectrain.core import InputError
from spectrain.noise import ReplicaGradients


class Net(nn.Module):
    """Batch norm, dropout as a module and as a function, a tied and an unused parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(8, 6)
        self.unused = nn.Linear(2, 2)
        self.frozen = nn.Linear(6, 6).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(torch.relu(self.norm(self.first(self.frozen(x)))))
        return self.last(nn.functional.dropout(x, 0.5, self.training))


def loss_fn(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (model(x) - x).square().mean()


@pytest.fixture
def batches(generator: torch.Generator) -> list[torch.Tensor]:
    return [torch.randn(16, 6, generator=generator) for _ in range(4)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dropout", [True, False])
def test_nothing_changes(training: bool, dropout: bool, batches: list[torch.Tensor]) -> None:
    model = Net().train(training)
    model.norm.eval()  # a mode of its own
    optimizer = torch.optim.AdamW(model.parameters())
    loss_fn(model, batches[0]).backward()
    optimizer.step()
    fired: list[torch.Tensor] = []
    model.first.weight.register_post_accumulate_grad_hook(fired.append)
    state = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    modes = [module.training for module in model.modules()]
    random = torch.random.get_rng_state()

    for _ in ReplicaGradients(model, loss_fn, batches, dropout=dropout):
        assert torch.equal(random, torch.random.get_rng_state())
        assert modes == [module.training for module in model.modules()]

    for name, value in model.state_dict().items():
        assert torch.equal(value, state[0][name]), name
    for name, p in model.named_parameters():
        assert (p.grad is None) == (name not in grads)
        if p.grad is not None:
            assert torch.equal(p.grad, grads[name])
    after = optimizer.state_dict()["state"]
    for index, entries in state[1]["state"].items():
        assert all(torch.equal(after[index][key], value) for key, value in entries.items())
    assert not fired


def test_restored_when_the_loss_fails(batches: list[torch.Tensor]) -> None:
    model = Net()
    before = copy.deepcopy(model.state_dict())
    random = torch.random.get_rng_state()

    def broken(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        model(x)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(ReplicaGradients(model, broken, batches))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert torch.equal(random, torch.random.get_rng_state())


def test_equals_backward(batches: list[torch.Tensor]) -> None:
    model = Net()
    model.drop.p = 0.0
    replicas = ReplicaGradients(
        model, loss_fn, batches, parameters={"w": model.last.weight}, dropout=False
    )
    found = [g["w"] for g in replicas]
    reference = copy.deepcopy(model).eval()
    reference.norm.train()
    for gradient, batch in zip(found, batches, strict=True):
        reference.zero_grad()
        loss_fn(reference, batch).backward()
        torch.testing.assert_close(gradient, reference.last.weight.grad)


def test_every_pass_gives_the_same(batches: list[torch.Tensor]) -> None:
    replicas = ReplicaGradients(Net(), loss_fn, iter(batches), dropout=True)
    first, second = list(replicas), list(replicas)
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_dropout_is_a_source_of_noise_of_its_own(batches: list[torch.Tensor]) -> None:
    same = [batches[0]] * 3

    def spread(dropout: bool) -> float:
        found = [g["last.weight"] for g in ReplicaGradients(Net(), loss_fn, same, dropout=dropout)]
        return torch.stack(found).std(0).max().item()

    assert spread(False) == 0.0
    assert spread(True) > 0.01


def test_unused_parameters_are_told(batches: list[torch.Tensor]) -> None:
    replicas = ReplicaGradients(Net(), loss_fn, batches)
    gradients = next(iter(replicas))
    assert not gradients["unused.weight"].any()
    assert set(replicas.unused) == {"unused.weight", "unused.bias"}
    assert "frozen.weight" not in gradients


def test_draws_no_more_batches_than_asked(batches: list[torch.Tensor]) -> None:
    source = iter(batches)
    assert len(ReplicaGradients(Net(), loss_fn, source, replicas=2)) == 2
    assert len(list(source)) == 2


def test_a_shuffling_loader_does_not_move_the_global_state(generator: torch.Generator) -> None:
    data = torch.randn(32, 6, generator=generator)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data), 8, shuffle=True)
    model, random = Net(), torch.random.get_rng_state()
    ReplicaGradients(model, loss_fn, loader)
    assert torch.equal(random, torch.random.get_rng_state())


def test_works_under_no_grad(batches: list[torch.Tensor]) -> None:
    with torch.no_grad():
        assert next(iter(ReplicaGradients(Net(), loss_fn, batches)))["last.weight"].any()


def test_bad_input(batches: list[torch.Tensor]) -> None:
    with pytest.raises(InputError, match="no batch"):
        ReplicaGradients(Net(), loss_fn, [])
    with pytest.raises(InputError, match="no trainable"):
        ReplicaGradients(Net().requires_grad_(False), loss_fn, batches)
    with pytest.raises(InputError, match="a loss of shape"):
        list(ReplicaGradients(Net(), lambda m, x: m(x), batches))
