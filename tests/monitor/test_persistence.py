"""The probe against updates and gradients that were kept aside."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spectrain import open_run, watch


class Fed(nn.Module):
    """A matrix whose gradient is whatever it is called with."""

    def __init__(self, shape):
        super().__init__()
        rows, columns = shape
        self.layer = nn.Linear(columns, rows, bias=False)

    def forward(self, gradient):
        return (self.layer.weight * gradient).sum()


def run_with(gradients, make, path):
    model = Fed(gradients[0].shape)
    optimizer = make(model.parameters())
    weights = [model.layer.weight.detach().clone()]
    with watch(model, optimizer, path, every=1, strict=True):
        for gradient in gradients:
            model(gradient).backward()
            optimizer.step()
            optimizer.zero_grad()
            weights.append(model.layer.weight.detach().clone())
    return open_run(path), weights


def series(run, source, measure):
    rows = run.metrics(source=source, measure=measure).sort("step")
    return rows["step"].to_list(), torch.tensor(rows["value"].to_list(), dtype=torch.float64), rows


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_alignment_is_that_of_the_applied_updates(decay, tmp_path, generator):
    drawn = list(torch.randn(20, 12, 8, generator=generator, dtype=torch.float64).float())
    rate = 0.01
    run, weights = run_with(
        drawn, lambda p: torch.optim.AdamW(p, lr=rate, weight_decay=decay), tmp_path / "run"
    )
    updates = [
        after.double() - (1 - rate * decay) * before.double() for before, after in pairwise(weights)
    ]
    steps, found, _ = series(run, "direction", "successive_cosine")
    naive = [
        torch.cosine_similarity(updates[t - 1].flatten(), updates[t].flatten(), dim=0)
        for t in steps
    ]
    assert steps == list(range(1, 20))
    torch.testing.assert_close(found, torch.stack(naive), rtol=0, atol=1e-4)  # 1e-5: float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.RMSprop])
def test_alignment_of_an_average_that_the_step_overwrites(make, dtype, tmp_path, generator):
    drawn = torch.randn(8, 12, 8, generator=generator, dtype=torch.float64)
    model = Fed(drawn[0].shape).to(dtype)
    optimizer = make(model.parameters(), lr=0.01, momentum=0.9)
    kept = []
    with watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        for gradient in drawn.to(dtype):
            model(gradient).backward()
            optimizer.step()
            optimizer.zero_grad()
            buffer = optimizer.state[model.layer.weight]["momentum_buffer"]
            kept.append(buffer.to(torch.float64, copy=True).flatten())
    steps, found, _ = series(open_run(tmp_path / "run"), "direction", "successive_cosine")
    naive = [torch.cosine_similarity(kept[t - 1], kept[t], dim=0) for t in steps]
    assert steps == list(range(1, 8))
    torch.testing.assert_close(found, torch.stack(naive), rtol=0, atol=1e-14)
    assert found.max() < 0.99


@pytest.mark.parametrize("make", ["adamw", "muon"])
def test_noise_has_no_persistent_energy_and_signal_has_all(make, tmp_path, generator):
    optimizer = {
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
        "muon": lambda p: torch.optim.Muon(p, lr=0.01, momentum=0.9),
    }[make]
    noise = list(torch.randn(60, 16, 16, generator=generator))
    run, _ = run_with(noise, optimizer, tmp_path / "noise")
    _, values, rows = series(run, "gradient", "persistent_energy")
    scores = values / torch.tensor(rows["error"].to_list(), dtype=torch.float64)
    assert abs(scores.mean()) < 4 / len(scores) ** 0.5
    assert 0.6 < scores[5:].std() < 1.5  # the error is the spread
    run, _ = run_with([noise[0]] * 60, optimizer, tmp_path / "signal")
    assert series(run, "gradient", "persistent_energy")[1][-1] == pytest.approx(1.0, abs=0.01)


def test_shares_between_are_measured(tmp_path, generator):
    """A third of the energy is signal."""
    noise = torch.randn(200, 16, 16, generator=generator)
    drawn = list(noise + 0.5**0.5)
    run, _ = run_with(drawn, lambda p: torch.optim.AdamW(p, lr=0.01), tmp_path / "run")
    values = series(run, "gradient", "persistent_energy")[1]
    assert values[50:].mean().item() == pytest.approx(1 / 3, abs=0.02)  # 0.004


def test_zero_gradients_and_other_optimizers(tmp_path):
    zeros = [torch.zeros(4, 4)] * 3
    run, _ = run_with(zeros, lambda p: torch.optim.AdamW(p, lr=0.01), tmp_path / "zero")
    rows = run.metrics(source="gradient", measure="persistent_energy")
    assert set(rows["value"].to_list()) == {None}
    assert "zero" in rows["reason"][0]
    run, _ = run_with(zeros, lambda p: torch.optim.SGD(p, lr=0.01), tmp_path / "sgd")
    assert run.metrics(measure="persistent_energy").is_empty()


def test_persistence_stands_beside_any_measure_of_the_gradient(tmp_path: Path) -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    options: dict[str, Any] = {"every": 1, "measures": ["*/frobenius_norm"]}
    with watch(model, optimizer, tmp_path / "run", **options):
        for _ in range(2):
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()
    measures = set(open_run(tmp_path / "run").metrics()["measure"])
    assert {"persistent_energy", "successive_cosine"} <= measures
