import pytest
import torch
from torch import nn

from spectrain import find_blocks
from spectrain.core import InputError, Role
from spectrain.optim import MultipliedLinear, add_multipliers, multiplier_groups
from spectrain.training.gpt import GPT, preset


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2, bias=False))


@pytest.mark.parametrize("kind", ["scalar", "row", "column", "both"])
def test_the_model_computes_what_it_did(kind, generator):
    model, x = mlp(), torch.randn(5, 4, generator=generator)
    before, weight = model(x), model[0].weight
    add_multipliers(model, kind)
    assert torch.equal(model(x), before)
    assert model[0].weight is weight
    assert isinstance(model[0], MultipliedLinear)


@pytest.mark.parametrize("kind", ["scalar", "row", "column", "both"])
def test_the_layer_is_that_of_the_effective_weight(kind, generator):
    model, x = mlp(), torch.randn(5, 4, generator=generator)
    add_multipliers(model, kind)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    layer = model[0]
    direct = nn.functional.linear(x, layer.effective_weight(), layer.bias)
    torch.testing.assert_close(layer(x), direct)


def test_gradients_are_those_of_the_definition(generator):
    """∂L/∂r_i = Σ_j W_ij c_j G_ij with G the gradient of the effective matrix (eq. 4)."""
    model = nn.Sequential(nn.Linear(4, 3, bias=False))
    add_multipliers(model, "both")
    layer, x = model[0], torch.randn(7, 4, generator=generator)
    layer.columns.weight.data = torch.randn(4, generator=generator)
    loss = layer(x).square().sum()
    loss.backward()
    gradient = 2 * layer(x).detach().mT @ x
    rows = (layer.weight * layer.columns.weight * gradient).sum(1)
    columns = (layer.rows.weight.unsqueeze(1) * layer.weight * gradient).sum(0)
    torch.testing.assert_close(layer.rows.weight.grad, rows.detach())
    torch.testing.assert_close(layer.columns.weight.grad, columns.detach())


def test_every_parameter_is_in_one_group(generator):
    model = GPT(preset("modern", vocabulary=11, layers=1, width=16), generator=generator)
    names = add_multipliers(model, include=("blocks.*",))
    assert len(names) == 6
    assert not isinstance(model.head, MultipliedLinear)
    groups = multiplier_groups(model, learning_rate=1e-3, weight_decay=0.1)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    assert [group["weight_decay"] for group in groups] == [0.1, 2e-3]
    torch.optim.AdamW(groups).step()


def test_multipliers_are_blocks(generator):
    model = GPT(preset("modern", vocabulary=11, layers=1, width=16), generator=generator)
    before = {block.name: block.role for block in find_blocks(model).blocks}
    add_multipliers(model, "both")
    roles = {block.name: block.role for block in find_blocks(model).blocks}
    assert roles["blocks.0.mlp.expand.rows.weight"] is Role.MULTIPLIER
    assert roles["head.columns.weight"] is Role.MULTIPLIER
    assert {name: roles[name] for name in before} == before


def test_a_layer_used_twice_keeps_one_set(generator):
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    add_multipliers(model)
    assert model[0] is model[2]


def test_models_without_layers_or_multipliers_are_refused():
    with pytest.raises(InputError, match="no torch"):
        add_multipliers(nn.Sequential(nn.ReLU()))
    with pytest.raises(InputError, match="no multipliers"):
        multiplier_groups(mlp(), learning_rate=0.1, weight_decay=0.1)
