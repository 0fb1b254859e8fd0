from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spectrain.network.read_module import kind_of, read_module
from spectrain.network.site import Kind
from support.architectures import Conv1D, LayerNorm2d, RMSNorm


class Owner(nn.Module):
    """A module with parameters of given shapes."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))


class CustomEmbedding(Owner):
    pass


class GroupedExperts(Owner):
    pass


class SubclassedLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.type_as(x))


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Linear(2, 3), Kind.LINEAR),
        (SubclassedLinear(2, 3), Kind.LINEAR),
        (Owner(weight=(3, 2)), Kind.LINEAR),
        (Owner(weight=(3, 2), bias=(3,)), Kind.LINEAR),
        (Owner(weight=(3, 2), bias=(2,)), Kind.LINEAR_TRANSPOSED),
        (Conv1D(4, 4), Kind.LINEAR_TRANSPOSED),
        (Owner(weight=(3, 2), other=(2, 2)), Kind.BARE),
        (Owner(weight=(3, 2, 2)), Kind.BARE),
        (Owner(weight=(3,)), Kind.BARE),
        (nn.Embedding(5, 2), Kind.EMBEDDING),
        (CustomEmbedding(weight=(5, 2)), Kind.EMBEDDING),
        (nn.Conv3d(2, 2, 1), Kind.CONV),
        (nn.ConvTranspose1d(2, 2, 1), Kind.CONV_TRANSPOSED),
        (nn.LayerNorm((2, 3)), Kind.NORM),
        (nn.LayerNorm(3, elementwise_affine=False), Kind.BARE),
        (nn.SyncBatchNorm(3), Kind.NORM),
        (RMSNorm(4), Kind.NORM),
        (LayerNorm2d(4), Kind.NORM),
        (nn.MultiheadAttention(4, 2), Kind.ATTENTION),
        (nn.GRU(2, 2), Kind.RECURRENT),
        (nn.LSTMCell(2, 2), Kind.RECURRENT),
        (GroupedExperts(w1=(4, 3, 2)), Kind.EXPERTS),
        (nn.PReLU(3), Kind.BARE),
    ],
)
def test_kind(module: nn.Module, kind: Kind) -> None:
    assert kind_of(module) is kind


def test_kind_by_the_name_of_the_attribute() -> None:
    assert kind_of(Owner(scale=(4,)), "layers.0.ln_1") is Kind.NORM
    assert kind_of(Owner(weight=(4, 3)), "layers.0.norm_projection") is Kind.LINEAR


def test_head_count_comes_from_the_nearest_module_or_its_config() -> None:
    inner = nn.Linear(2, 2)
    middle: Any = nn.Module()
    middle.projection = inner
    model: Any = nn.Module()
    model.part = middle
    model.heads = nn.ModuleList([nn.Identity()])  # not a number
    assert _heads(model) is None
    model.config = {"num_attention_heads": 4}
    assert _heads(model) == 4
    middle.config = SimpleNamespace(n_head=2)
    assert _heads(model) == 2


def _heads(model: nn.Module) -> int | None:
    (site,) = read_module(model)
    return site.heads
