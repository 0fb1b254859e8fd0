import pytest
import torch
from torch.optim import AdamW, Muon

from spectrain.training.gpt import GPT, preset
from spectrain.training.optimizers import make_optimizers, set_learning_rates, usual_plan

RATES = {"learning_rate": 0.01, "muon_learning_rate": 0.03, "weight_decay": 0.1}


def small(name, **fields):
    return GPT(preset(name, vocabulary=9, layers=2, width=16, heads=2, **fields))


def names_in(model, group):
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    return {known[id(parameter)] for parameter in group["params"]}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("fields", [{"tied": True}, {"value_embeddings": 1}])
@pytest.mark.parametrize("name", ["nanogpt", "modern"])
def test_every_parameter_is_trained_once(kind, fields, name):
    model = small(name, **fields)
    groups = [
        group
        for o in make_optimizers(model, usual_plan(model, kind), **RATES)
        for group in o.param_groups
    ]
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in model.parameters())


def test_muon_takes_the_matrices_inside_the_blocks_and_nothing_else():
    model = small("modern", activation="swiglu", value_embeddings=1)
    muon, adamw = make_optimizers(model, usual_plan(model, "muon"), **RATES)
    assert isinstance(muon, Muon)
    assert isinstance(adamw, AdamW)
    parts = [f"attention.{part}" for part in ("query", "key", "value", "output")]
    parts += [f"mlp.{part}" for part in ("expand", "gate", "contract")]
    assert names_in(model, muon.param_groups[0]) == {
        f"blocks.{number}.{part}.weight" for number in range(2) for part in parts
    }
    assert names_in(model, adamw.param_groups[0]) == {
        "embedding.weight",
        "value_embeddings.0.weight",
        "head.weight",
    }


def test_vectors_do_not_decay():
    model = small("nanogpt")
    for kind in ("adamw", "muon"):
        for optimizer in make_optimizers(model, usual_plan(model, kind), **RATES):
            for group in optimizer.param_groups:
                dimensions = {parameter.ndim for parameter in group["params"]}
                assert dimensions == ({2} if group["weight_decay"] else {1})


def test_learning_rates_are_shares_of_each_peak():
    model = small("modern")
    muon, adamw = make_optimizers(model, usual_plan(model, "muon"), **RATES)
    set_learning_rates([muon, adamw], 0.5)
    set_learning_rates([muon, adamw], 0.1)
    assert muon.param_groups[0]["lr"] == pytest.approx(0.003)
    assert adamw.param_groups[0]["lr"] == pytest.approx(0.001)


def test_a_step_of_muon_has_equal_singular_values():
    model = small("modern", zero_init_projections=False)
    muon, _ = make_optimizers(model, usual_plan(model, "muon"), **RATES | {"weight_decay": 0.0})
    tokens = torch.arange(9).repeat(3, 2)
    model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
    weight = model.blocks[0].attention.query.weight
    before = weight.detach().clone()
    muon.step()
    values = torch.linalg.svdvals((weight.detach() - before).double()) / 0.03
    assert values.max() < 1.3  # Newton-Schulz with Muon's coefficients ends in [0.7, 1.2]
    assert values[len(values) // 2] > 0.6
