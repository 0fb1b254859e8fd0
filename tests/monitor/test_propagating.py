"""What a changed input changes: against a second forward pass, and without a trace of it."""

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import Source
from spectrain.monitor.probes.propagating import ROUNDED, PropagatingProbe
from spectrain.monitor.replay import NOT_CALLED, Replay

MEASURE = "propagating_gain"


class Net(nn.Module):
    """Random draws, and statistics that a forward pass moves."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(6, 8), nn.Linear(8, 8)
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.2)
        self.last = nn.Linear(8, 3, bias=False)

    def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        hidden = self.drop(torch.tanh(self.middle(torch.tanh(self.first(x)))))
        return self.last(self.norm(hidden)) * scale


def train(folder: Path | None, model: nn.Module, *, steps: int = 3, **options: Any) -> list[float]:
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    settings: dict[str, Any] = {"every": 1, "strict": True, "probes": [PropagatingProbe]} | options
    run = None if folder is None else spectrain.watch(model, optimizer, folder, **settings)
    losses = []
    for _ in range(steps):
        x = torch.randn(12, 6)
        loss = (model(x, scale=0.1) - x[:, :3]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if run is not None:
        run.close()
    return losses


def rows(folder: Path) -> pl.DataFrame:
    return spectrain.open_run(folder).metrics(source=Source.UPDATE, measure=MEASURE)


def made(seed: int = 4) -> Net:
    torch.manual_seed(seed)
    return Net()


def test_losses_weights_statistics_and_random_numbers_are_as_without(tmp_path: Path) -> None:
    plain, watched = made(), made()
    assert train(None, plain) == train(tmp_path / "run", watched)
    after = torch.rand(1)
    train(None, made())
    assert after == torch.rand(1)
    for (name, one), other in zip(
        plain.state_dict().items(), watched.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert rows(tmp_path / "run")["value"].is_not_null().all()


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below, self.above = nn.Linear(5, 7), nn.Linear(7, 4)
        self.double()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.above(torch.tanh(self.below(x)))


def test_the_change_of_an_output_is_the_two_parts_together(tmp_path: Path) -> None:
    """W'Δx of the records, and ΔW x, against the outputs before and after the step."""
    torch.manual_seed(0)
    model = Plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    x = torch.randn(40, 5, dtype=torch.float64)
    with spectrain.watch(
        model, optimizer, tmp_path / "run", every=1, probes=[PropagatingProbe], strict=True
    ):
        model(x).square().mean().backward()
        old = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer.step()
    with torch.no_grad():
        fed = torch.tanh(x @ old["below.weight"].mT + old["below.bias"])
        change = torch.tanh(model.below(x)) - fed
        expected = (change @ model.above.weight.mT).square().mean() / fed.square().mean()
        whole = model.above(torch.tanh(model.below(x))) - fed @ old["above.weight"].mT
        parts = change @ model.above.weight.mT + fed @ (model.above.weight - old["above.weight"]).mT
        assert torch.allclose(whole - model.above.bias, parts, rtol=1e-12)
    found = rows(tmp_path / "run")
    above = found.filter(block="above.weight")
    assert above["value"].item() == pytest.approx(expected.sqrt().item(), rel=1e-12)
    assert above["count"].item() == 40
    assert 0 < above["error"].item() < above["value"].item()
    assert found.filter(block="below.weight")["value"].to_list() == [0.0]  # data do not change


def test_sampled_columns_are_near_the_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    x = torch.randn(4000, 5, dtype=torch.float64)
    with spectrain.watch(
        model, optimizer, tmp_path / "run", every=1, probes=[PropagatingProbe], strict=True
    ):
        before = torch.tanh(model.below(x)).detach()
        model(x).square().mean().backward()
        optimizer.step()
    change = torch.tanh(model.below(x)).detach() - before
    truth = ((change @ model.above.weight.mT).square().mean() / before.square().mean()).sqrt()
    row = rows(tmp_path / "run").filter(block="above.weight")
    assert row["count"].item() == 64
    assert abs(row["value"].item() - truth.item()) < 4 * row["error"].item()


def test_it_reads_only_where_it_is_asked_for(tmp_path: Path) -> None:
    train(tmp_path / "run", made(), probes=[])
    assert rows(tmp_path / "run").is_empty()


def test_low_precision_is_refused_with_a_reason(tmp_path: Path) -> None:
    class Half(Net):
        def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
            return super().forward(x.bfloat16(), scale=scale)

    train(tmp_path / "run", Half().bfloat16(), steps=1)
    assert set(rows(tmp_path / "run")["reason"]) == {ROUNDED.format("bfloat16")}


def test_a_model_that_is_not_called_says_so(tmp_path: Path) -> None:
    model = Plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    with spectrain.watch(
        model, optimizer, tmp_path / "run", every=1, probes=[PropagatingProbe], strict=True
    ):
        model.above(torch.tanh(model.below(torch.ones(2, 5, dtype=torch.float64)))).sum().backward()
        optimizer.step()
    assert set(rows(tmp_path / "run")["reason"]) == {NOT_CALLED}


def test_random_numbers_are_the_same_in_each_run_and_not_those_of_the_training() -> None:
    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.drawn = nn.Linear(2, 2), list[tuple[float, float, float]]()

        def forward(self, x: Tensor) -> Tensor:
            self.drawn.append((random.random(), np.random.rand(), torch.rand(()).item()))
            return self.layer(x)

    model = Drawing()
    replay = Replay(model, nullcontext)
    replay.listen()
    model(torch.ones(1, 2))
    replay.rest()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    replay.run()
    replay.run()
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert before == after
    assert model.drawn[1] == model.drawn[2] != model.drawn[0]


def test_strange_arguments_are_named() -> None:
    class Odd(nn.Linear):
        def forward(self, x: set[int]) -> Tensor:  # type: ignore[override]
            return super().forward(torch.ones(1, 2))

    model = Odd(2, 2)
    replay = Replay(model, nullcontext)
    replay.listen()
    model({1})
    replay.rest()
    assert "set" in str(replay.reason)


@pytest.mark.parametrize("manner", ["wrapped", "in place"])
def test_compiled_models_say_the_same_and_are_not_compiled_again(
    tmp_path: Path, manner: str
) -> None:
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    train(tmp_path / "plain", Smooth())
    model: Any = Smooth()
    if manner == "wrapped":
        model = torch.compile(model, backend=backend)
    else:
        model.compile(backend=backend)
    train(tmp_path / "compiled", model, measures=["update/*"])
    before = len(compiled)
    train(None, model)
    assert len(compiled) == before > 0
    key = ["step", "block"]
    both = rows(tmp_path / "plain").join(rows(tmp_path / "compiled"), on=key, suffix="_compiled")
    assert both.height == 9
    assert both["value"].to_list() == pytest.approx(both["value_compiled"].to_list(), rel=1e-4)


class Smooth(nn.Module):
    def __init__(self) -> None:
        torch.manual_seed(3)
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.last(torch.tanh(scale * self.middle(torch.tanh(self.first(x)))))
