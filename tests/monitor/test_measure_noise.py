"""measure_noise: block by block on a model, against its parts computed by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from spectrain.core import InputError, Role, Source
from spectrain.monitor.measure_noise import NoiseMeasurement, measure_noise
from spectrain.noise import (
    NOISE_MEASURES,
    ScalarNoise,
    deviations,
    directions,
    moments,
    simple_noise_scale,
    top_triples,
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(20, 32)
        self.norm = nn.LayerNorm(32)
        self.last = nn.Linear(32, 20)
        self.dead = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.norm(self.first(x))))


def loss_fn(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (model(x) - x.flip(-1)).square().sum(-1).mean()


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def batches(generator: torch.Generator) -> list[torch.Tensor]:
    return [torch.randn(size, 20, generator=generator) for size in (8, 8, 8, 8, 8, 4)]


@pytest.fixture
def found(model: Net, batches: list[torch.Tensor]) -> NoiseMeasurement:
    return measure_noise(model, loss_fn, batches, batch_size=len, k=4)


def by_hand(model: Net, batches: list[torch.Tensor]) -> torch.Tensor:
    stack: list[Any] = []
    for batch in batches:
        twin = copy.deepcopy(model)
        loss_fn(twin, batch).backward()
        stack.append(twin.last.weight.grad)
    return torch.stack(stack)


def test_agrees_with_its_parts(
    found: NoiseMeasurement, model: Net, batches: list[torch.Tensor]
) -> None:
    g = by_hand(model, batches)
    sizes = [len(batch) for batch in batches]
    one = next(b for b in found.blocks if b.block.name == "last.weight")
    summary = moments(g, weights=sizes, entrywise=True)
    for name, measure in NOISE_MEASURES.items():
        assert one.measures[name] == pytest.approx(measure(summary).item(), rel=1e-4), name
    for name in ScalarNoise.__slots__:
        estimate = getattr(one.scalar, name)
        assert estimate.value == pytest.approx(one.measures[name], rel=1e-9), name
    scale = simple_noise_scale(deviations(g, summary, weights=sizes))
    assert one.scalar.noise_scale.value == pytest.approx(scale.value, rel=1e-4)
    expected = directions(g, k=4, weights=sizes)
    torch.testing.assert_close(one.directional.directions.left, expected.left, atol=1e-3, rtol=0.0)
    assert found.unit == "examples"


def test_the_total_is_the_concatenated_gradient(
    found: NoiseMeasurement, model: Net, batches: list[torch.Tensor]
) -> None:
    sizes = [len(batch) for batch in batches]
    names = {b.block.parameter for b in found.blocks}
    rows = []
    for batch in batches:
        twin = copy.deepcopy(model)
        loss_fn(twin, batch).backward()
        rows.append(
            torch.cat(
                [
                    (p.grad if p.grad is not None else torch.zeros_like(p)).flatten()
                    for name, p in twin.named_parameters()
                    if name in names
                ]
            )
        )
    g = torch.stack(rows)
    scale = simple_noise_scale(deviations(g, moments(g, weights=sizes), weights=sizes))
    assert found.total.noise_scale.value == pytest.approx(scale.value, rel=1e-4)
    assert set(found.roles) == {b.block.role for b in found.blocks}


def test_every_block_answers_or_says_why(found: NoiseMeasurement) -> None:
    reasons = {b.block.name: b.reason for b in found.blocks}
    assert reasons["dead.weight"] == "zero gradient"
    assert reasons["first.weight"] is None
    norm = next(b for b in found.blocks if b.block.role is Role.NORM)
    assert norm.reason == "a vector has no singular directions"
    assert norm.scalar.noise_scale.value is not None


def test_records(found: NoiseMeasurement) -> None:
    rows = found.records(step=7)
    assert {(row.step, row.source) for row in rows} == {(7, Source.NOISE)}
    keys = [(row.block, row.measure, row.index) for row in rows]
    assert len(keys) == len(set(keys))
    table = dict(zip(keys, rows, strict=True))
    assert table[None, "noise_scale", None].value == found.total.noise_scale.value
    assert table["first.weight", "echo", 1].count == 6
    assert table["first.weight", "noise_model", None].value in {-1, 0, 1}
    assert table["dead.weight", "snr_unbiased", None].reason == "zero gradient"
    for row in rows:
        assert row.value is None or torch.tensor(row.value).isfinite()
        assert row.value is not None or row.reason


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_replicas_are_an_answer(count: int, model: Net, batches: list[torch.Tensor]) -> None:
    found = measure_noise(model, loss_fn, batches, replicas=count, k=4)
    assert found.replicas == count
    assert found.unit == "batches"
    if count < 3:
        assert found.total.noise_scale.reason == "fewer than 3 replicas"
    assert found.records(0)


def test_the_model_is_left_alone(model: Net, batches: list[torch.Tensor]) -> None:
    before = copy.deepcopy(model.state_dict())
    random = torch.random.get_rng_state()
    measure_noise(model, loss_fn, batches, k=4, dropout=True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(random, torch.random.get_rng_state())


def test_no_block(batches: list[torch.Tensor]) -> None:
    with pytest.raises(InputError, match="no block"):
        measure_noise(nn.Identity(), loss_fn, batches)


def test_a_large_batch_takes_the_place_of_the_truth(
    model: Net, batches: list[torch.Tensor], generator: torch.Generator
) -> None:
    large = [torch.randn(64, 20, generator=generator) for _ in range(4)]
    found = measure_noise(model, loss_fn, batches, batch_size=len, k=4, reference=large)
    truth = top_triples(by_hand(model, large).mean(0), 4)
    expected = directions(
        by_hand(model, batches), k=4, weights=[len(b) for b in batches], reference=truth
    )
    noise = next(one for one in found.blocks if one.block.name == "last.weight")
    assert noise.directional is not None
    assert not noise.directional.directions.held_out
    for side in ("left", "right"):
        got = getattr(noise.directional.directions, side)
        torch.testing.assert_close(got, getattr(expected, side), rtol=0, atol=1e-5)  # seen: 3e-7
    assert noise.directional.coupling.value is None


def test_a_reference_without_gradient_is_a_reason(model: Net, batches: list[torch.Tensor]) -> None:
    still = [torch.zeros(2, 20)]
    found = measure_noise(model, loss_fn, batches, k=4, reference=still)
    reasons = {one.block.name: one.reason for one in found.blocks}
    assert reasons["first.weight"] == "zero gradient on the reference"
