"""Models of many kinds through the one call that a stranger makes: nothing but what a trial needs.

Each is tiny, and what is asked is that it ends with an answer, keeps its budget and leaves the
model as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from spectrain.trials import trial

GIVEN = tuple[nn.Module, Callable[[nn.Module, Any], Tensor], Any, list[Any]]


def drawn(step: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(step))


def tokens(step: int) -> Tensor:
    return torch.randint(9, (4, 5), generator=torch.Generator().manual_seed(step))


class Answers(nn.Module):
    """Takes keywords and returns a dict, as libraries of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.head(self.inner(x).tanh())
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 6)
        self.cell = kind(6, 6, batch_first=True)
        self.head = nn.Linear(6, 9)

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        states, last = self.cell(self.embedding(x))
        return self.head(states), last


class Experts(nn.Module):
    """Two experts, one of which never gets a token, and whose gradient is therefore None."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(4, 2)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.experts[0](x) * self.router(x).softmax(-1)[:, :1])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.mlp = nn.Embedding(9, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 9, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mlp(self.embedding(x)))


def of_dicts() -> GIVEN:
    def batch(step: int) -> dict[str, Tensor]:
        return {"x": drawn(step, 8, 4), "labels": torch.arange(8) % 3}

    return Answers(), lambda model, b: model(**b)["loss"], batch, [batch(-1)]


def of_tuples(kind: type[nn.Module]) -> GIVEN:
    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return functional.cross_entropy(model(x)[0].flatten(0, 1), x.flatten())

    return Recurrent(kind), loss, tokens, [tokens(99)]


def of_a_loader() -> GIVEN:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv2d(4, 4, 3),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, 3),
    )
    data: Any = [(drawn(n, 1, 8, 8), n % 3) for n in range(24)]

    def loss(model: nn.Module, batch: list[Tensor]) -> Tensor:
        return functional.cross_entropy(model(batch[0]), batch[1])

    return model, loss, DataLoader(data[4:], batch_size=4), [*DataLoader(data[:4], batch_size=4)]


def of_experts() -> GIVEN:
    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return (model(x) - x.flip(1)).square().mean()

    data = [drawn(n, 8, 4) for n in range(12)]
    return Experts(), loss, data[1:], data[:1]


def of_ties() -> GIVEN:
    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return functional.cross_entropy(model(x).flatten(0, 1), x.roll(1, 1).flatten())

    return Tied(), loss, tokens, [tokens(99)]


@pytest.mark.parametrize(
    "given",
    [
        of_dicts,
        lambda: of_tuples(nn.LSTM),
        lambda: of_tuples(nn.GRU),
        of_a_loader,
        of_experts,
        of_ties,
    ],
    ids=["dicts", "lstm", "gru", "loader", "experts", "tied"],
)
def test_a_stranger_gets_an_answer(given: Callable[[], GIVEN]) -> None:
    torch.manual_seed(0)
    model, loss, batches, held_out = given()
    before = copy.deepcopy(model.state_dict())
    found = trial(model, loss, batches, held_out, steps=700, progress=False)
    assert found.effects
    assert 0 < found.share <= 0.4
    assert found.statement
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    stepped = copy.deepcopy(model)
    optimizers = found.setup.optimizers(stepped)
    first = next(iter(batches)) if not callable(batches) else batches(0)
    loss(stepped, first).backward()
    for optimizer in optimizers:
        optimizer.step()


def test_layers_that_rest_stay_at_rest() -> None:
    """A frozen batch norm in evaluation mode is not trained by the trial either."""
    model, loss, batches, held_out = of_a_loader()
    model[1].eval()
    seen: list[bool] = []

    def noting(model: nn.Module, batch: list[Tensor]) -> Tensor:
        seen.append(model[1].training)
        return loss(model, batch)

    trial(model, noting, batches, held_out, steps=300, share=0.7, progress=False)
    assert not any(seen)
