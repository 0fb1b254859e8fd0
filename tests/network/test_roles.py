from __future__ import annotations

from itertools import pairwise

import pytest
from torch import nn

from spectrain.core import Block, Role
from spectrain.network import find_blocks
from support.architectures import ARCHITECTURES, Tree, chain

Q, K, V = Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V
MIX = Role.ATTENTION_O
IN, GATE, OUT = Role.MLP_IN, Role.MLP_GATE, Role.MLP_OUT
EMBEDDING, HEAD, NORM = Role.EMBEDDING, Role.HEAD, Role.NORM
CONV, HIDDEN, ROUTER, OTHER = Role.CONV, Role.HIDDEN, Role.ROUTER, Role.OTHER
EXPERT = {role: Role(role.value.replace("mlp", "expert")) for role in (IN, GATE, OUT)}

LAYER: dict[str, dict[str, list[Role]]] = {
    "transformer.h.*.": {
        "gpt2": [NORM, Q, K, V, MIX, NORM, IN, OUT],
        "nano_gpt": [NORM, Q, K, V, MIX, NORM, IN, OUT],
    },
    "model.layers.*.": {
        "llama": [NORM, Q, K, V, MIX, NORM, GATE, IN, OUT],
        "phi3": [NORM, Q, K, V, MIX, NORM, GATE, IN, OUT],
    },
    "gpt_neox.layers.*.": {"neox": [NORM, Q, K, V, MIX, NORM, IN, OUT]},
    "bert.encoder.layer.*.": {"bert": [Q, K, V, MIX, NORM, IN, OUT, NORM]},
    "blocks.*.": {
        "vit": [NORM, Q, K, V, MIX, NORM, IN, OUT],
        "lab_gpt": [NORM, Q, K, V, MIX, NORM, IN, GATE, OUT],
        "lab_nanogpt": [NORM, *4 * [Q], *4 * [K], *4 * [V], MIX, NORM, IN, OUT],
    },
    "encoder.block.*.": {"t5": [Q, K, V, MIX, EMBEDDING, NORM, GATE, IN, OUT, NORM]},
    "layers.*.": {
        "torch_encoder": [Q, K, V, MIX, IN, OUT, NORM, NORM],
        "torch_decoder": [Q, K, V, MIX, Q, K, V, MIX, IN, OUT, NORM, NORM, NORM],
        "mixture": [
            ROUTER,
            *2 * [EXPERT[GATE], EXPERT[OUT], EXPERT[IN]],
            *3 * [EXPERT[GATE], EXPERT[IN]],
            *3 * [EXPERT[OUT]],
        ],
    },
}
OUTSIDE: dict[str, list[Role]] = {
    "gpt2": [EMBEDDING, EMBEDDING, NORM],
    "nano_gpt": [EMBEDDING, EMBEDDING, NORM, HEAD],
    "llama": [EMBEDDING, NORM, HEAD],
    "phi3": [EMBEDDING, NORM, HEAD],
    "neox": [EMBEDDING, NORM, HEAD],
    "bert": [*3 * [EMBEDDING], NORM, HIDDEN, HEAD],
    "vit": [EMBEDDING, CONV, NORM, HEAD],
    "t5": [EMBEDDING, NORM, HEAD],
    "torch_encoder": [],
    "torch_decoder": [],
    "mixture": [EMBEDDING],
    "lab_gpt": [*3 * [EMBEDDING], NORM, HEAD],
    "lab_nanogpt": [EMBEDDING, EMBEDDING, NORM, HEAD],
}


@pytest.mark.parametrize(
    ("prefix", "name", "roles"),
    [(prefix, name, roles) for prefix, row in LAYER.items() for name, roles in row.items()],
)
def test_roles_and_depths(prefix: str, name: str, roles: list[Role]) -> None:
    blocks = _blocks(name)
    depths = sorted({block.depth for block in blocks if block.depth is not None})
    assert depths == list(range(len(depths)))
    for depth in depths:
        layer = [block for block in blocks if block.depth == depth]
        assert [block.role for block in layer] == roles
        assert all(b.parameter.startswith(prefix.replace("*", str(depth))) for b in layer)
    assert [block.role for block in blocks if block.depth is None] == OUTSIDE[name]


@pytest.mark.parametrize("name", [name for name in OUTSIDE if name != "mixture"])
def test_criterion_of_the_attention_output_is_what_the_values_are_made_of(name: str) -> None:
    blocks = _blocks(name)
    outputs = [block for block in blocks if block.role is MIX]
    assert outputs
    for output in outputs:
        module = output.parameter.rpartition(".out_proj")[0]
        values = [b for b in blocks if b.role is V and b.depth == output.depth]
        values = [b for b in values if b.parameter.startswith(module)] if module else values
        assert output.criterion_input == values[0].literal_input
        assert output.criterion_input != output.literal_input


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_criterion_of_all_other_blocks_is_their_literal_input(name: str) -> None:
    for block in _blocks(name):
        assert block.role is MIX or block.criterion_input == block.literal_input


def test_convolutions_and_their_norms() -> None:
    roles = [block.role for block in _blocks("convolutions")]
    assert roles == [*4 * [CONV, NORM], CONV, CONV, NORM, CONV, CONV]


def test_gates_of_an_lstm_are_blocks_of_their_own() -> None:
    blocks = find_blocks(nn.LSTM(5, 3, num_layers=2, bidirectional=True, proj_size=2)).blocks
    shapes = {
        "weight_ih_l0": (Role.RECURRENT_INPUT, (3, 5)),
        "weight_ih_l1_reverse": (Role.RECURRENT_INPUT, (3, 4)),
        "weight_hh_l0": (Role.RECURRENT_HIDDEN, (3, 2)),
    }
    for name, expected in shapes.items():
        gates = [block for block in blocks if block.parameter == name]
        assert [block.name for block in gates] == [f"{name}[{gate}]" for gate in "ifgo"]
        assert {(block.role, block.shape) for block in gates} == {expected}
        assert [block.view.rows for block in gates] == [((3 * i, 3 * i + 3),) for i in range(4)]
    projections = [block for block in blocks if "weight_hr" in block.name]
    assert {(b.role, b.shape) for b in projections} == {(Role.RECURRENT_OUT, (2, 3))}
    assert len(blocks) == 4 * (4 + 4) + 4
    fed = {block.parameter for block in blocks if block.literal_input is not None}
    last = {"weight_hh_l1", "weight_hh_l1_reverse"}  # whose states the layer outputs
    assert fed == {"weight_ih_l0", "weight_ih_l0_reverse"} | last


def test_gates_of_a_gru_and_none_of_a_plain_recurrence() -> None:
    assert [b.name for b in find_blocks(nn.GRUCell(4, 2)).blocks] == [
        f"weight_{side}[{gate}]" for side in ("ih", "hh") for gate in "rzn"
    ]
    assert [b.name for b in find_blocks(nn.RNN(4, 2)).blocks] == ["weight_ih_l0", "weight_hh_l0"]


def test_head_by_vocabulary_whatever_its_name() -> None:
    linears = {"first": nn.Linear(4, 11), "second": nn.Linear(4, 11), "third": nn.Linear(4, 3)}
    model = Tree(chain, words=nn.Embedding(11, 4), **linears)
    assert _roles(model) == {"words": EMBEDDING, "first": OTHER, "second": HEAD, "third": OTHER}


def test_patches_by_a_linear_layer_are_an_embedding() -> None:
    model = Tree(chain, patch_embedding=nn.Linear(12, 4), mixer=nn.Linear(4, 4))
    assert _roles(model) == {"patch_embedding": EMBEDDING, "mixer": OTHER}


def test_plain_network_has_a_layer_for_each_element() -> None:
    sizes = (128, 512, 512, 512, 1)
    modules = []
    for inputs, outputs in pairwise(sizes):
        modules += [nn.Linear(inputs, outputs), nn.ReLU()]
    blocks = find_blocks(nn.Sequential(*modules)).blocks
    assert [block.depth for block in blocks] == [0, 1, 2, 3]
    assert [block.role for block in blocks] == [*3 * [HIDDEN], HEAD]


def test_what_yields_classes_actions_or_a_value_is_a_head() -> None:
    heads = {"action_head": nn.Linear(64, 5), "value_head": nn.Linear(64, 1)}
    critic = _roles(Tree(chain, affine1=nn.Linear(16, 64), **heads))
    assert critic == {"affine1": HIDDEN, "action_head": HEAD, "value_head": HEAD}
    for last in ("out", "cls_head", "classifier", "anything"):
        layers = {"first": nn.Linear(16, 64), "second": nn.Linear(64, 64), last: nn.Linear(64, 7)}
        assert _roles(Tree(chain, **layers)) == {"first": HIDDEN, "second": HIDDEN, last: HEAD}


def test_branches_that_end_beside_the_last_one_end_in_heads() -> None:
    trunk = {"trunk": nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 64))}
    ends = {"pi": nn.Linear(64, 4), "v": nn.Linear(64, 1)}
    found = _roles(Tree(chain, **trunk, **ends))
    assert list(found.values()) == [HIDDEN, HIDDEN, HEAD, HEAD]
    dueling = {
        name: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, rows))
        for name, rows in (("advantage", 5), ("value", 1))
    }
    found = _roles(Tree(chain, **trunk, **dueling))
    assert list(found.values()) == [HIDDEN, HIDDEN, HIDDEN, HEAD, HIDDEN, HEAD]


def test_lists_of_experts_by_other_names() -> None:
    sizes = {"w1": (32, 48), "w2": (48, 32), "w3": (32, 48)}
    experts = nn.ModuleList(
        Tree(chain, **{name: nn.Linear(*size) for name, size in sizes.items()}) for _ in range(3)
    )
    layer = Tree(chain, scorer=nn.Linear(32, 3), expert_list=experts)
    found = _roles(Tree(chain, table=nn.Embedding(50, 32), layers=nn.ModuleList([layer])))
    assert found["layers.0.scorer"] is ROUTER
    assert found["layers.0.expert_list.2.w2"] is EXPERT[OUT]


def test_last_matrix_in_a_module_that_is_called_a_head_is_it() -> None:
    layers = [nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)) for _ in range(2)]
    classifier = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 24), nn.Linear(24, 3))
    model = Tree(chain, layers=nn.Sequential(*layers), classifier=classifier)
    found = {n: r for n, r in _roles(model).items() if "classifier" in n}
    assert list(found.values()) == [HIDDEN, HIDDEN, HEAD]


def test_head_whose_last_matrix_is_tied_is_made_of_hidden_layers() -> None:
    table = nn.Embedding(11, 4)
    head = Tree(chain, dense=nn.Linear(4, 4), decoder=nn.Linear(4, 11, bias=False))
    head.decoder.weight = table.weight
    layers = nn.Sequential(Tree(chain, mixer=nn.Linear(4, 4)), Tree(chain, mixer=nn.Linear(4, 4)))
    model = Tree(chain, table=table, layers=layers, lm_head=head)
    assert _roles(model)["lm_head.dense"] is HIDDEN


def test_autoencoder_ends_in_no_head() -> None:
    sizes = (30, 8, 4, 8, 30)
    found = _roles(nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes))))
    assert list(found.values()) == [HIDDEN, HIDDEN, HIDDEN, OTHER]


def _blocks(name: str) -> tuple[Block, ...]:
    return find_blocks(ARCHITECTURES[name]()[0]).blocks


def _roles(model: nn.Module) -> dict[str, Role]:
    return {b.name.removesuffix(".weight"): b.role for b in find_blocks(model).blocks}
