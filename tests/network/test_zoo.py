"""Real models of other packages: the roles of their blocks, watched to the bit, routed cleanly."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import Block, Plan, Role, Source, Step, usual_step
from spectrain.network import find_blocks
from spectrain.optim import build, lint
from support.zoo import MODELS, ROLES, Loss

pytestmark = pytest.mark.slow
STEPS = 3


@pytest.fixture(params=MODELS, scope="module")
def one(request: pytest.FixtureRequest) -> tuple[str, nn.Module, Loss]:
    package = {"unet": "diffusers", "gcn": "torch_geometric", "lora": "peft"}
    pytest.importorskip(package.get(request.param, "transformers"))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, loss = MODELS[request.param]()
    return request.param, model.train(), loss


def expected(name: str, block: str) -> Role | None:
    return next(
        (role for pattern, role in ROLES[name].items() if fnmatchcase(block, pattern)), None
    )


def test_every_model_has_its_table() -> None:
    assert MODELS.keys() == ROLES.keys()
    assert len(MODELS) >= 25


@pytest.mark.filterwarnings("ignore")
def test_roles_are_those_of_the_table(one: tuple[str, nn.Module, Loss]) -> None:
    name, model, _ = one
    network = find_blocks(model)
    blocks: Iterable[Block] = (*network.blocks, *network.composed)
    found = {block.name: str(block.role) for block in blocks}
    assert found == {block: str(expected(name, block)) for block in found}
    matrices = {key for key, p in model.named_parameters() if p.ndim > 1 and p.requires_grad}
    read = {block.parameter for block in network.blocks}
    left = {skip.parameter: skip.reason for skip in network.skipped if skip.parameter in matrices}
    assert matrices == read & matrices | left.keys()
    vectors = ("vector of shape", "used entry by entry", "2-D bias")
    assert all(reason.startswith(vectors) for reason in left.values()), left


def trained(model: nn.Module, loss: Loss, folder: Path | None) -> dict[str, Tensor]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    torch.manual_seed(1)
    with nullcontext() if folder is None else spectrain.watch(model, optimizer, folder, every=1):
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss(model).backward()
            optimizer.step()
    return model.state_dict()


@pytest.mark.filterwarnings("ignore")
def test_watching_changes_no_bit(one: tuple[str, nn.Module, Loss], tmp_path: Path) -> None:
    _, model, loss = one
    plain = trained(copy.deepcopy(model), loss, None)
    watched = trained(copy.deepcopy(model), loss, tmp_path / "run")
    assert all(torch.equal(value, watched[key]) for key, value in plain.items())
    run = spectrain.open_run(tmp_path / "run")
    measured = set(run.metrics(source=Source.UPDATE, measure="stable_rank")["block"])
    assert {block.name for block in find_blocks(model).blocks} <= measured
    assert not run.manifest.get("disabled")


@pytest.mark.filterwarnings("ignore")
def test_of_the_usual_plan_only_fused_projections_are_complained(
    one: tuple[str, nn.Module, Loss],
) -> None:
    _, model, _ = one
    blocks = find_blocks(model).blocks
    hidden = [block.name for block in blocks if usual_step(block.role) is Step.SPECTRAL]
    built = build(model, Plan(dict.fromkeys(hidden, Step.SPECTRAL)))
    fused = {block.parameter for block in blocks if block.name.endswith("[k]")}
    complaints = {
        (complaint.rule, complaint.parameter) for complaint in lint(model, built.optimizers)
    }
    assert complaints == {("fused", parameter) for parameter in fused}
