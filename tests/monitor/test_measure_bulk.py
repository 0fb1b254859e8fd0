from __future__ import annotations

import pytest
import torch
from torch import nn

from spectrain.core import Block, InputError, Role, Source
from spectrain.monitor import Surgery, measure_bulk
from spectrain.monitor.surgery import Split, prune

SHAPE = (48, 32)


def planted(generator: torch.Generator, spikes: tuple[float, ...] = (6.0, 4.0)) -> torch.Tensor:
    """Random entries of variance 1/48 and some strong directions."""
    matrix = torch.randn(SHAPE, dtype=torch.float64, generator=generator) / SHAPE[0] ** 0.5
    for index, strength in enumerate(spikes):
        matrix[index, index] += strength
    return matrix


def split(matrix: torch.Tensor) -> Split:
    return Split.of(Block("w", Role.OTHER, None, SHAPE, "w"), matrix, level=0.01)


def squared(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    inputs, targets = batch
    return (model(inputs) - targets).square().mean()


@pytest.fixture
def model(generator):
    model = nn.Sequential(nn.Linear(32, 48, bias=False), nn.Dropout(0.5)).double()
    with torch.no_grad():
        model[0].weight.copy_(planted(generator))
    return model


@pytest.fixture
def batches(model, generator):
    """Targets that the spikes alone explain."""
    truth = split(model[0].weight.detach()).after(Surgery.BULK_TRUNCATED, generator)
    inputs = torch.randn(5, 64, 32, dtype=torch.float64, generator=generator)
    return [(x, x @ truth.mT) for x in inputs]


def test_truncation_and_its_control_add_up(generator):
    matrix = planted(generator)
    part = split(matrix)
    assert part.spikes == 2
    signal = part.after(Surgery.BULK_TRUNCATED, generator)
    bulk = part.after(Surgery.SPIKES_REMOVED, generator)
    assert torch.linalg.matrix_rank(signal) == 2
    assert torch.allclose(signal + bulk, matrix)
    assert (bulk.square().sum() / matrix.square().sum()).item() == pytest.approx(part.energy)


def test_a_randomised_bulk_keeps_all_singular_values_and_the_signal(generator):
    matrix = planted(generator)
    part = split(matrix)
    changed = part.after(Surgery.BULK_RANDOMISED, generator)
    assert torch.allclose(torch.linalg.svdvals(changed), torch.linalg.svdvals(matrix))
    again = split(changed).after(Surgery.BULK_TRUNCATED, generator)
    assert torch.allclose(again, part.after(Surgery.BULK_TRUNCATED, generator))
    overlap = (changed - again).flatten() @ (matrix - again).flatten()
    assert abs(overlap) < 0.2 * (matrix - again).square().sum()


def test_pruning_removes_the_energy_of_the_bulk(generator):
    matrix = planted(generator)
    part = split(matrix)
    pruned = part.after(Surgery.PRUNED, generator)
    kept = pruned != 0
    assert torch.equal(pruned[kept], part.after(Surgery.PRUNED, generator)[kept])
    assert matrix[~kept].abs().max() <= matrix[kept].abs().min()
    lost = (matrix - pruned).square().sum() / matrix.square().sum()
    largest = matrix[kept].abs().min() ** 2 / matrix.square().sum()
    assert part.energy - largest <= lost <= part.energy + 1e-5


def test_pruning_all_and_nothing():
    matrix = torch.tensor([[1.0, -2.0]])
    assert not prune(matrix, 1.0).any()
    assert torch.equal(prune(matrix, 0.0), matrix)


def test_where_the_spikes_explain_all_the_bulk_only_hurts(model, batches):
    found = measure_bulk(model, squared, batches)
    bulk = split(model[0].weight.detach())
    expected = float(bulk.values[bulk.spikes :].square().sum() / 48)  # E|Nx|²/48 for normal x
    assert found.loss.value == pytest.approx(expected, rel=0.1)
    assert found.together["bulk_truncated"].value == pytest.approx(-found.loss.value)
    assert abs(found.together["bulk_randomised"].value) < 0.2 * expected
    signal = float(bulk.values[: bulk.spikes].square().sum() / 48)
    assert found.together["spikes_removed"].value == pytest.approx(signal, rel=0.15)
    assert found.spikes == {"0.weight": 2}


def test_the_model_is_left_as_it_was(model, batches):
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = model[0].weight.detach().clone()
    model.train()

    def tuned(changed: nn.Module) -> None:
        changed[0].weight.data += 1
        changed[0].weight.grad = None

    measure_bulk(model, squared, batches, each=True, finetune=tuned)
    assert torch.equal(model[0].weight, before)
    assert torch.equal(model[0].weight.grad, torch.ones_like(before))
    assert model.training
    assert model[1].training

    def broken(changed: nn.Module, batch: object) -> torch.Tensor:
        if not torch.equal(changed[0].weight, before):
            raise RuntimeError("broken")
        return torch.zeros(())

    with pytest.raises(RuntimeError, match="broken"):
        measure_bulk(model, broken, batches)
    assert torch.equal(model[0].weight, before)
    assert model[1].training


def test_finetuning_starts_with_and_without_the_bulk(model, batches, generator):
    seen = []
    measure_bulk(
        model,
        squared,
        batches,
        surgeries=(),
        finetune=lambda changed: seen.append(changed[0].weight.detach().clone()),
    )
    assert torch.equal(seen[0], model[0].weight)
    assert torch.linalg.matrix_rank(seen[1]) == 2


def test_a_fused_projection_is_changed_in_its_parts(generator):
    """A block that is a part of its parameter; the other parts stay."""
    attention = nn.MultiheadAttention(32, 2, bias=False).double()
    with torch.no_grad():
        attention.in_proj_weight.normal_(std=0.1, generator=generator)
        attention.in_proj_weight[0, 0] = 9.0
    seen: list[torch.Tensor] = []

    def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        seen.append(model.in_proj_weight.detach().clone())
        return torch.zeros(())

    names = [name for name in measure_bulk(attention, loss, [torch.ones(1)]).spikes if "q" in name]
    seen.clear()
    measure_bulk(
        attention, loss, [torch.ones(1)], include=[names[0]], surgeries=[Surgery.BULK_TRUNCATED]
    )
    before, after = seen
    assert torch.equal(before[32:], after[32:])
    assert torch.linalg.matrix_rank(after[:32]) < 32


def test_records_say_what_was_done(model, batches):
    found = measure_bulk(model, squared, batches, each=True)
    rows = found.records(7)
    assert {row.source for row in rows} == {Source.ABLATION}
    assert {row.step for row in rows} == {7}
    whole = {row.measure for row in rows if row.block is None}
    assert whole == {"loss", *(f"loss_change_{surgery}" for surgery in Surgery)}
    assert {"spikes", "bulk_energy"} <= {row.measure for row in rows if row.block == "0.weight"}


def test_what_cannot_be_measured_is_refused(model, batches):
    with pytest.raises(InputError, match="no batch"):
        measure_bulk(model, squared, [])
    with pytest.raises(InputError, match="no block"):
        measure_bulk(model, squared, batches, include=["nothing*"])
    with pytest.raises(InputError, match="no block"):
        measure_bulk(nn.Linear(32, 8), squared, batches)
