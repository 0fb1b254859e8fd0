"""Each planted routing mistake is found, and a sound routing passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from spectrain.optim import SpecGD, lint


class Model(nn.Module):
    def __init__(self, *, tied: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.norm = nn.LayerNorm(4)
        self.lm_head = nn.Linear(4, 11, bias=False)
        if tied:
            self.lm_head.weight = self.embedding.weight


class HomeMadeMuon(SGD):
    """Takes anything, as Muons outside torch do."""


def rules(model: nn.Module, *optimizers: Optimizer, **options: Any) -> dict[str, str]:
    return {c.rule: c.parameter for c in lint(model, optimizers, **options)}


def rest(model: nn.Module, *taken: torch.Tensor) -> list[nn.Parameter]:
    return [p for p in model.parameters() if all(p is not t for t in taken)]


def test_a_sound_routing_passes() -> None:
    model = Model()
    hidden = [block.get_parameter("weight") for block in model.blocks]
    assert lint(model, [Muon(hidden), AdamW(rest(model, *hidden))], filters=["blocks."]) == []


def test_the_planted_mistakes_are_found() -> None:
    model, tied = Model(), Model(tied=True)
    embedding, head = model.embedding.weight, model.lm_head.weight
    gain = model.norm.weight
    every = list(model.parameters())
    assert rules(tied, Muon([tied.embedding.weight]), AdamW(rest(tied, tied.embedding.weight))) == {
        "tied": "embedding.weight"
    }
    assert rules(model, Muon([head]), AdamW(rest(model, head))) == {"head": "lm_head.weight"}
    assert rules(model, Muon([embedding]), AdamW(rest(model, embedding))) == {
        "embedding": "embedding.weight"
    }
    assert rules(model, HomeMadeMuon([gain]), AdamW(rest(model, gain))) == {"vector": "norm.weight"}
    assert rules(model, AdamW(rest(model, gain))) == {"ungrouped": "norm.weight"}
    assert rules(model, AdamW(every), SGD([gain])) == {"twice": "norm.weight"}
    assert rules(model, AdamW(every), filters=["lm_head", "transformer.h.*"]) == {
        "filter": "transformer.h.*"
    }
    assert rules(model, AdamW([*every, nn.Parameter(torch.ones(2, 3))])) == {
        "foreign": "a tensor of shape (2, 3)"
    }


def test_a_flag_of_the_group_decides_over_the_class() -> None:
    model = Model()
    flagged = [{"params": [model.lm_head.weight], "use_muon": True}]
    plain = [{"params": rest(model, model.lm_head.weight), "use_muon": False}]
    assert rules(model, HomeMadeMuon([*flagged, *plain])) == {"head": "lm_head.weight"}


def test_frozen_parameters_need_no_group() -> None:
    model = Model()
    model.norm.requires_grad_(requires_grad=False)
    assert lint(model, AdamW([p for p in model.parameters() if p.requires_grad])) == []


def test_a_fused_projection_is_named_unless_its_parts_are_orthogonalized() -> None:
    attention = nn.MultiheadAttention(8, 2, bias=False)
    fused = attention.in_proj_weight
    others = AdamW(rest(attention, fused))
    assert rules(attention, Muon([fused]), others) == {"fused": "in_proj_weight"}
    assert rules(attention, SpecGD([fused], lr=0.1), others) == {"fused": "in_proj_weight"}
    assert rules(attention, SpecGD([fused], lr=0.1, cut=3), others) == {}


def test_spectral_descent_is_orthogonal_and_its_euclidean_groups_are_not() -> None:
    model = Model()
    found = lint(model, SpecGD(model.parameters(), lr=0.1))
    assert {(c.rule, c.parameter) for c in found} == {
        ("embedding", "embedding.weight"),
        ("head", "lm_head.weight"),
        *(("vector", name) for name, p in model.named_parameters() if p.ndim < 2),
    }
    assert lint(model, SpecGD(model.parameters(), lr=0.1, step="euclidean")) == []


def test_names_are_those_of_the_bare_model() -> None:
    model = Model()
    compiled: Any = torch.compile(model, backend="eager")
    found = lint(compiled, Muon([model.lm_head.weight]), filters=["lm_head", "_orig_mod.norm"])
    assert {c.parameter for c in found if c.rule == "head"} == {"lm_head.weight"}
    assert {c.parameter for c in found if c.rule == "ungrouped"} == {
        name for name, _ in model.named_parameters() if name != "lm_head.weight"
    }
    assert not [c for c in found if c.rule == "filter"]


@pytest.mark.parametrize("name", ["Dion", "Scion", "SpectralSphere", "NorMuon", "MuonWithAuxAdam"])
def test_kin_of_muon_take_no_embedding_head_or_bias(name: str) -> None:
    kind, model = type(name, (HomeMadeMuon,), {}), Model()
    found = lint(model, kind(model.parameters(), lr=0.1))
    hidden = {f"blocks.{number}.weight" for number in (0, 1)}
    assert {c.parameter for c in found} == {name for name, _ in model.named_parameters()} - hidden


@pytest.mark.parametrize(
    ("key", "muon", "adamw"),
    [
        ("use_muon", True, False),
        ("use_fallback", False, True),
        ("kind", "muon", "adamw"),
        ("algorithm", "dion", "lion"),
        ("name", "muon_hidden", "adamw_rest"),
    ],
)
def test_groups_of_one_class_are_checked_for_what_they_say(
    key: str, muon: object, adamw: object
) -> None:
    model = Model()
    hidden = [block.get_parameter("weight") for block in model.blocks]
    sound = HomeMadeMuon(
        [{"params": hidden, key: muon}, {"params": rest(model, *hidden), key: adamw}]
    )
    assert lint(model, sound) == []
    head = model.lm_head.weight
    wrong = [
        {"params": [*hidden, head], key: muon},
        {"params": rest(model, *hidden, head), key: adamw},
    ]
    assert rules(model, HomeMadeMuon(wrong)) == {"head": "lm_head.weight"}
