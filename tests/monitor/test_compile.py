"""torch.compile: no graph breaks, two graphs, and nothing more from step to step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

import spectrain
from spectrain.core import Source

pytestmark = [  # of torch's own compiler
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 8)
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 8)
        self.head = nn.Linear(8, 7)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        x = x + self.down(self.up(self.norm(x)).relu())
        return self.head(x)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


Manner = Callable[[nn.Module, str], nn.Module]


def whole(model: nn.Module, backend: str) -> nn.Module:
    compiled: Any = torch.compile(model, backend=backend, fullgraph=True)
    return compiled


def in_place(model: nn.Module, backend: str) -> nn.Module:
    model.compile(backend=backend, fullgraph=True)
    return model


def parts(model: nn.Module, backend: str) -> nn.Module:
    compiled: Any = torch.compile(model.get_submodule("up"), backend=backend)
    model.up = compiled
    model.get_submodule("down").compile(backend=backend)
    return model


def train(
    folder: Path | None,
    how: Manner | None,
    *,
    backend: str = "aot_eager",
    dtype: torch.dtype = torch.float64,
    steps: int = 8,
    **options: Any,
) -> list[torch.Tensor]:
    torch.manual_seed(0)
    bare = Net().to(dtype)
    model = how(bare, backend) if how else bare
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    settings = {"every": 3, "dense": 1, "strict": True} | options
    run = spectrain.watch(model, optimizer, folder, **settings) if folder else None
    generator = torch.Generator().manual_seed(1)
    for step in range(steps):
        tokens = torch.randint(7, (4, 5), generator=generator)
        loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        if run:
            run.log(loss=loss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step == 4:
            counters["settled"].update(counters["stats"])
    if run:
        run.__exit__(None, None, None)
    return [p.detach().clone() for p in bare.parameters()]


@pytest.mark.parametrize("how", [whole, in_place, parts])
def test_records_equal_those_of_the_eager_model(tmp_path: Path, how: Manner) -> None:
    train(tmp_path / "eager", None)
    train(tmp_path / "compiled", how)
    eager, ours = (spectrain.open_run(tmp_path / n).metrics() for n in ("eager", "compiled"))
    key = ["step", "block", "source", "measure"]
    both = eager.filter(pl.col("source") != "monitor").join(
        ours.filter(pl.col("source") != "monitor"), on=key, how="full", suffix="_ours",
        nulls_equal=True,
    )  # fmt: skip
    assert both["measure"].null_count() == both["measure_ours"].null_count() == 0
    error = (pl.col("value") - pl.col("value_ours")).abs()
    poor = both.filter(pl.col("measure") != "condition_number")
    assert poor.filter(error > 1e-7 * pl.col("value").abs()).is_empty()
    assert both.filter(pl.col("count").ne_missing(pl.col("count_ours"))).is_empty()
    assert set(ours.filter(source=Source.INPUT)["step"]) == {0, 3, 6}


@pytest.mark.parametrize(("how", "hook"), [(whole, 0), (in_place, 1)])
def test_two_graphs_without_a_break(tmp_path: Path, how: Manner, hook: int) -> None:
    """One graph with taps and one without; torch compiles the hook of a whole module apart."""
    train(tmp_path / "run", how)
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 2 + hook
    assert counters["settled"]["unique_graphs"] == 2 + hook  # none after the fifth step


@pytest.mark.parametrize("how", [whole, in_place, parts])
def test_training_is_bit_identical(tmp_path: Path, how: Manner) -> None:
    plain, again = train(None, how), train(None, how)
    assert all(map(torch.equal, plain, again))
    watched = train(tmp_path / "run", how)
    assert all(map(torch.equal, plain, watched))


def test_a_model_that_ran_before_it_was_watched_is_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model: Any = torch.compile(Net(), backend="aot_eager")
    tokens = torch.randint(7, (4, 5))
    model(tokens).sum().backward()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1):
        model(tokens).sum().backward()
        optimizer.step()
    rows = spectrain.open_run(tmp_path / "run").metrics(source=Source.INPUT)
    assert set(rows["value"]) == {None}
    assert rows["reason"].str.contains("compiled before it was watched").all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inductor_trains_within_its_own_spread(tmp_path: Path, dtype: torch.dtype) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, again, watched = (
            train(folder, whole, backend="inductor", dtype=dtype, steps=30)
            for folder in (None, None, tmp_path / "run")
        )
    spread = max((a - b).abs().max().item() for a, b in zip(plain, again, strict=True))
    change = max((a - b).abs().max().item() for a, b in zip(plain, watched, strict=True))
    largest = max(p.abs().max().item() for p in plain)
    assert change <= max(2 * spread, 8 * torch.finfo(dtype).eps * largest)
    assert not counters["graph_break"]
    assert not spectrain.open_run(tmp_path / "run").metrics(source=Source.INPUT).is_empty()
