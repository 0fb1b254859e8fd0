from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from spectrain.core import Block, Feed, InputError, Role, Skipped
from spectrain.network import Network, find_blocks
from support.architectures import ARCHITECTURES, VOCABULARY, WIDTH


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_entry_is_in_one_block_or_skipped(name: str, heads: bool) -> None:
    model, _ = ARCHITECTURES[name]()
    network = find_blocks(model, heads=heads)
    read: dict[str, list[torch.Tensor]] = {}
    for block in network.blocks:
        parameter = model.get_parameter(block.parameter)
        places = block.view.of(torch.arange(parameter.numel()).reshape(parameter.shape))
        assert places.shape == (block.shape[:1] if block.view.diagonal else block.shape)
        read.setdefault(block.parameter, []).append(places.flatten())
    for parameter_name, places_read in read.items():
        size = model.get_parameter(parameter_name).numel()
        assert torch.equal(torch.cat(places_read).sort().values, torch.arange(size))
    skipped = [skip.parameter for skip in network.skipped]
    assert sorted([*read, *skipped]) == sorted(dict(model.named_parameters()))
    assert network.unsplit == ()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_are_unique_and_survive_the_manifest(name: str) -> None:
    model, _ = ARCHITECTURES[name]()
    blocks = find_blocks(model, heads=True).blocks
    assert len({block.name for block in blocks}) == len(blocks)
    assert tuple(Block.from_dict(json.loads(json.dumps(b.to_dict()))) for b in blocks) == blocks


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_feeds_name_modules(name: str) -> None:
    model, _ = ARCHITECTURES[name]()
    for block in find_blocks(model).blocks:
        for feed in (block.literal_input, block.criterion_input):
            if feed is not None:
                model.get_submodule(feed.module)


def test_blocks_come_in_the_order_of_the_parameters() -> None:
    model, _ = ARCHITECTURES["llama"]()
    names = [block.parameter for block in find_blocks(model).blocks]
    assert names == [name for name, _ in model.named_parameters()]


def test_tied_weight_counts_once_and_is_an_embedding() -> None:
    model, _ = ARCHITECTURES["gpt2"]()
    block = _block(find_blocks(model), "transformer.wte.weight")
    assert block.aliases == ("lm_head.weight",)
    assert (block.role, block.shape) == (Role.EMBEDDING, (WIDTH, VOCABULARY))


def test_tied_weight_is_an_embedding_though_the_head_comes_first() -> None:
    model = nn.ModuleDict({"head": nn.Linear(4, 9, bias=False), "table": nn.Embedding(9, 4)})
    model["table"].weight = model["head"].weight
    (block,) = find_blocks(model).blocks
    assert (block.parameter, block.aliases) == ("head.weight", ("table.weight",))
    assert (block.role, block.shape) == (Role.EMBEDDING, (4, 9))
    assert block.literal_input is not None
    assert block.literal_input.module == "table"


def test_shared_module_counts_once() -> None:
    layer = nn.Linear(3, 3, bias=False)
    (block,) = find_blocks(nn.Sequential(layer, nn.ReLU(), layer)).blocks
    assert (block.name, block.aliases) == ("0.weight", ("2.weight",))


def test_frozen_parameters_are_skipped_and_still_tell_the_roles() -> None:
    model, _ = ARCHITECTURES["llama"]()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("o_proj" in name or "lm_head" in name)
    network = find_blocks(model)
    assert [block.role for block in network.blocks] == [Role.ATTENTION_O] * 2 + [Role.HEAD]
    assert {skip.reason for skip in network.skipped} == {"frozen"}
    assert network.blocks[1].criterion_input != network.blocks[1].literal_input


def test_reasons_for_skipping() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scalar = nn.Parameter(torch.tensor(1.0))
            self.vector = nn.Parameter(torch.ones(3))
            self.row = nn.Parameter(torch.ones(1, 3))
            self.cube = nn.Parameter(torch.ones(2, 3, 4))
            self.empty = nn.Parameter(torch.ones(0, 4))
            self.complex = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
            self.lazy = nn.LazyLinear(3, bias=False)
            self.relation = nn.Bilinear(2, 3, 4)

    network = find_blocks(Odd())
    assert network.blocks == ()
    assert {skip.parameter: skip.reason for skip in network.skipped} == {
        "scalar": "0-d scalar",
        "vector": "1-D vector",
        "row": "vector of shape (1, 3)",
        "cube": "3-D tensor that is no stack of experts",
        "empty": "empty",
        "complex": "complex",
        "lazy.weight": "not initialised yet (lazy)",
        "relation.weight": "3-D tensor that is no stack of experts",
        "relation.bias": "1-D bias",
    }


def test_bare_matrices_have_roles_by_name_and_no_feed() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in ("w_q", "w_k", "w_v", "w_o", "memory"):
                self.register_parameter(name, nn.Parameter(torch.randn(6, 6)))
            self.relative_position_bias_table = nn.Parameter(torch.randn(9, 2))

    network = find_blocks(Bare())
    assert {block.name: block.role for block in network.blocks} == {
        "w_q": Role.ATTENTION_Q,
        "w_k": Role.ATTENTION_K,
        "w_v": Role.ATTENTION_V,
        "w_o": Role.ATTENTION_O,
        "memory": Role.OTHER,
        "relative_position_bias_table": Role.EMBEDDING,
    }
    assert all(block.literal_input is block.criterion_input is None for block in network.blocks)
    assert _block(network, "relative_position_bias_table").shape == (2, 9)


def test_a_root_module_is_its_own_site() -> None:
    (block,) = find_blocks(nn.Linear(3, 2)).blocks
    assert (block.name, block.depth, block.role) == ("weight", None, Role.OTHER)
    attention = find_blocks(nn.MultiheadAttention(4, 2))
    assert [block.name for block in attention.blocks] == [
        "in_proj_weight[q]",
        "in_proj_weight[k]",
        "in_proj_weight[v]",
        "out_proj.weight",
    ]


def test_parametrized_weights_keep_their_role_and_the_feed_of_rescaled_rows() -> None:
    model, _ = ARCHITECTURES["llama"]()
    layer = model.get_submodule("model.layers.0.mlp.up_proj")
    nn.utils.parametrizations.weight_norm(layer)
    network = find_blocks(model)
    name = "model.layers.0.mlp.up_proj.parametrizations.weight.original"
    block = _block(network, f"{name}1")
    assert (block.role, block.literal_input) == (Role.MLP_IN, Feed("model.layers.0.mlp.up_proj"))
    assert Skipped(f"{name}0", "vector of shape (40, 1)") in network.skipped


def test_parametrization_that_mixes_rows_has_no_feed() -> None:
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(4, 4, bias=False))
    (block,) = find_blocks(layer).blocks
    assert (block.name, block.literal_input) == ("parametrizations.weight.original", None)


def test_weight_of_two_modules_is_fed_by_both() -> None:
    first, second, other = (nn.Linear(3, 3, bias=False) for _ in range(3))
    second.weight = first.weight
    blocks = find_blocks(nn.Sequential(first, nn.ReLU(), second, other)).blocks
    assert [block.literal_input for block in blocks] == [Feed("0", also=("2",)), Feed("3")]


def test_factors_of_adapters_beside_frozen_layers() -> None:
    model, _ = ARCHITECTURES["llama"]()
    model.requires_grad_(False)
    attention = model.get_submodule("model.layers.0.self_attn")
    for name in ("q_proj", "o_proj"):
        adapted = nn.Module()
        adapted.base_layer = attention.get_submodule(name)
        adapted.lora_A = nn.ModuleDict({"default": nn.Linear(WIDTH, 2, bias=False)})
        setattr(attention, name, adapted)
    network = find_blocks(model)
    assert [block.role for block in network.blocks] == [Role.ADAPTER_IN] * 2
    assert len(network.skipped) == len(list(model.parameters())) - 2


def test_overrides_set_roles_by_pattern_and_the_last_one_decides() -> None:
    model, _ = ARCHITECTURES["gpt2"]()
    overrides = {"*.mlp.*": Role.OTHER, "transformer.h.1.mlp.c_fc.weight": Role.HEAD}
    roles = {b.name: b.role for b in find_blocks(model, overrides=overrides).blocks}
    assert roles["transformer.h.0.mlp.c_fc.weight"] is Role.OTHER
    assert roles["transformer.h.1.mlp.c_proj.weight"] is Role.OTHER
    assert roles["transformer.h.1.mlp.c_fc.weight"] is Role.HEAD
    assert roles["transformer.h.0.attn.c_proj.weight"] is Role.ATTENTION_O


def test_overrides_take_exact_names_with_brackets() -> None:
    model, _ = ARCHITECTURES["gpt2"]()
    name = "transformer.h.0.attn.c_attn.weight[q]"
    network = find_blocks(model, overrides={name: Role.OTHER})
    assert [block.name for block in network.blocks if block.role is Role.OTHER] == [name]


def test_override_that_matches_nothing_is_an_input_error() -> None:
    message = r"'layer\.\*' of a role matches no block.*names such as \['layers\.0\.weight'\]"
    with pytest.raises(InputError, match=message):
        find_blocks(
            nn.ModuleDict({"layers": nn.Sequential(nn.Linear(2, 2))}),
            overrides={"layer.*": Role.HEAD},
        )


def test_roles_are_given_by_name_too() -> None:
    (block,) = find_blocks(nn.Linear(2, 2), overrides={"weight": "router"}).blocks
    assert block.role is Role.ROUTER
    with pytest.raises(InputError, match="given the role 'rooter'; choose among embedding, "):
        find_blocks(nn.Linear(2, 2), overrides={"weight": "rooter"})


@pytest.mark.parametrize("heads", [0, -2])
def test_number_of_heads_must_be_positive(heads: int) -> None:
    with pytest.raises(InputError, match=f"heads is {heads}"):
        find_blocks(nn.Linear(2, 2), heads=heads)


def _block(network: Network, name: str) -> Block:
    return next(block for block in network.blocks if block.name == name)
