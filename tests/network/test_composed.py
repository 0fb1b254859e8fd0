"""Matrices that several parameters make, against the modules that multiply by them."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import Tensor, nn

from spectrain.core import Block, Role
from spectrain.network import find_blocks
from spectrain.network.composed import HIDDEN_BASE
from support.architectures import ARCHITECTURES, WIDTH, Tree


class Adapted(nn.Module):
    """A frozen layer with low-rank factors beside it, in the shape that peft gives it."""

    def __init__(self, base: nn.Module, rank: int, *adapters: str) -> None:
        super().__init__()
        rows, columns = base.get_parameter("weight").shape
        self.base_layer = base.requires_grad_(False)
        self.lora_A = nn.ModuleDict({a: nn.Linear(columns, rank, bias=False) for a in adapters})
        self.lora_B = nn.ModuleDict({a: nn.Linear(rank, rows, bias=False) for a in adapters})
        self.scaling = {adapter: 1.0 + place for place, adapter in enumerate(adapters)}


class Rescaled(Adapted):
    """The same with lengths of rows that are learned, as DoRA has them in peft."""

    def __init__(self, base: nn.Module, rank: int, *adapters: str) -> None:
        super().__init__(base, rank, *adapters)
        lengths = {a: nn.Module() for a in adapters}
        for length in lengths.values():
            length.weight = nn.Parameter(torch.rand(len(base.get_parameter("weight"))))
        self.lora_magnitude_vector = nn.ModuleDict(lengths)

    def change(self, adapter: str) -> Tensor:
        """W' − W, row by row."""
        weight = self.base_layer.get_parameter("weight")
        whole = weight + self.scaling[adapter] * (
            self.get_parameter(f"lora_B.{adapter}.weight")
            @ self.get_parameter(f"lora_A.{adapter}.weight")
        )
        lengths = self.get_parameter(f"lora_magnitude_vector.{adapter}.weight")
        rows = [m * row / row.norm() for m, row in zip(lengths, whole, strict=True)]
        return torch.stack(rows) - weight


def matrix(model: nn.Module, block: Block) -> Tensor:
    assert block.composition is not None
    parameters = [model.get_parameter(name) for name in block.composition.parameters]
    return block.view.of(block.composition.of(parameters))


def adapted(name: str, module: str, *adapters: str, kind: type[Adapted] = Adapted) -> nn.Module:
    model, _ = ARCHITECTURES[name]()
    path, _, local = module.rpartition(".")
    parent = model.get_submodule(path)
    setattr(parent, local, kind(parent.get_submodule(local), 2, *adapters))
    return model


def test_product_does_what_the_matrix_does_that_it_changes() -> None:
    model = adapted("llama", "model.layers.1.self_attn.q_proj", "default")
    network = find_blocks(model)
    module = "model.layers.1.self_attn.q_proj"
    (block,) = network.composed
    assert (block.name, block.role, block.depth) == (f"{module}.weight", Role.ATTENTION_Q, 1)
    a, b = (model.get_parameter(f"{module}.lora_{side}.default.weight") for side in "AB")
    assert torch.equal(matrix(model, block), b @ a)
    factors = {b.name: (b.role, b.shape) for b in network.blocks if ".lora_" in b.name}
    assert factors == {
        f"{module}.lora_A.default.weight": (Role.ADAPTER_IN, (2, WIDTH)),
        f"{module}.lora_B.default.weight": (Role.ADAPTER_OUT, (WIDTH, 2)),
    }


def test_product_beside_a_fused_projection_comes_apart_as_it_does() -> None:
    module = "blocks.0.attn.qkv"
    model = adapted("vit", module, "default")
    a, b = (model.get_parameter(f"{module}.lora_{side}.default.weight") for side in "AB")
    found = find_blocks(model).composed
    assert [block.name for block in found] == [f"{module}.weight[{part}]" for part in "qkv"]
    parts = [matrix(model, block) for block in found]
    assert torch.equal(torch.cat(parts), b @ a)
    assert found[2].role is Role.ATTENTION_V


def test_several_adapters_are_told_apart_and_scaled() -> None:
    module = "model.layers.0.mlp.up_proj"
    model = adapted("llama", module, "one", "two")
    network = find_blocks(model)
    assert [b.name for b in network.composed] == [f"{module}.weight.one", f"{module}.weight.two"]
    scales = [block.composition.scale for block in network.composed if block.composition]
    assert scales == [1.0, 2.0]


def test_dora_changes_what_its_magnitudes_rescale() -> None:
    module = "model.layers.0.mlp.up_proj"
    model = adapted("llama", module, "one", "two", kind=Rescaled)
    layer = model.get_submodule(module)
    assert isinstance(layer, Rescaled)
    found = find_blocks(model).composed
    assert [block.name for block in found] == [f"{module}.weight.one", f"{module}.weight.two"]
    for block, adapter in zip(found, ("one", "two"), strict=True):
        assert block.role is Role.MLP_IN
        # measured error 2e-7: float32 norms
        assert torch.allclose(matrix(model, block), layer.change(adapter), atol=1e-6)
        assert Block.from_dict(json.loads(json.dumps(block.to_dict()))) == block


def test_dora_beside_a_fused_projection_comes_apart_as_it_does() -> None:
    module = "blocks.0.attn.qkv"
    model = adapted("vit", module, "default", kind=Rescaled)
    layer = model.get_submodule(module)
    assert isinstance(layer, Rescaled)
    parts = [matrix(model, block) for block in find_blocks(model).composed]
    assert torch.allclose(torch.cat(parts), layer.change("default"), atol=1e-6)


def test_dora_over_a_matrix_that_cannot_be_read_is_skipped_with_the_reason() -> None:
    module = "model.layers.0.mlp.up_proj"
    model = adapted("llama", module, "default", kind=Rescaled)
    packed = torch.zeros(7, 1, dtype=torch.uint8)
    base = model.get_submodule(f"{module}.base_layer")
    base.weight = nn.Parameter(packed, requires_grad=False)
    network = find_blocks(model)
    assert network.composed == ()
    reasons = [skip.reason for skip in network.skipped if skip.parameter == f"{module}.weight"]
    assert reasons == [HIDDEN_BASE]


@pytest.mark.parametrize("old", [True, False], ids=["hook", "parametrization"])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_weight_norm_of_convolutions(old: bool, kind: type[nn.Module]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        norm = nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm
        conv = norm(kind(3, 5, 2))
    model = Tree(lambda tree, x: tree.conv(x), conv=conv)
    network = find_blocks(model)
    (factor,), (block,) = network.blocks, network.composed
    assert (factor.role, block.role) == (Role.CONV, Role.CONV)
    assert factor.literal_input is not None
    assert factor.literal_input.module == "conv"
    assert block.name == "conv.weight"
    # measured error 6e-8: one float32 norm
    weight = conv.weight
    assert isinstance(weight, Tensor)
    assert torch.allclose(matrix(model, block), block.view.of(weight), rtol=1e-6)


def test_manifest_keeps_the_rule() -> None:
    model = adapted("llama", "model.layers.0.mlp.up_proj", "one")
    (block,) = find_blocks(model).composed
    assert Block.from_dict(json.loads(json.dumps(block.to_dict()))) == block


def test_roles_by_pattern_reach_composed_matrices() -> None:
    model = adapted("llama", "model.layers.0.mlp.up_proj", "one")
    (block,) = find_blocks(model, overrides={"*.up_proj.weight": Role.OTHER}).composed
    assert block.role is Role.OTHER
