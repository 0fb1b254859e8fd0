"""A plan becomes optimizers: every parameter once, by identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from spectrain.core import InputError, Plan, Step
from spectrain.optim import Built, build, lint


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.conv = nn.Conv1d(4, 4, 3)
        self.expand = nn.Linear(4, 8)
        self.head = nn.Linear(8, 7)


def grouped(optimizers: tuple[torch.optim.Optimizer, ...]) -> list[int]:
    return [id(p) for o in optimizers for g in o.param_groups for p in g["params"]]


def test_every_parameter_is_in_exactly_one_group() -> None:
    model = Block()
    plan = Plan({"expand.weight": Step.SPECTRAL, "head.weight": Step.EUCLIDEAN})
    built = build(model, plan)
    assert sorted(grouped(built.optimizers)) == sorted(id(p) for p in model.parameters())
    muon = built.optimizers[0]
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(model.expand.weight)]
    assert built.notes == ()
    assert [c for c in lint(model, built.optimizers) if c.rule in ("ungrouped", "twice")] == []


def test_what_muon_cannot_do_is_said() -> None:
    model = Block()
    fused = {f"attention.in_proj_weight[{part}]": Step.SPECTRAL for part in "qkv"}
    built = build(model, Plan({**fused, "conv.weight": Step.SPECTRAL}))
    text = "\n".join(built.notes)
    assert "in_proj_weight: Muon orthogonalizes its 3 blocks as one matrix" in text
    assert "conv.weight: torch.optim.Muon takes 2-D parameters only" in text
    mixed = {**fused, "attention.in_proj_weight[v]": Step.EUCLIDEAN}
    built = build(model, Plan(mixed))
    assert "its blocks differ in their steps" in built.notes[0]
    assert [type(o).__name__ for o in built.optimizers] == ["AdamW"]


def test_a_block_of_another_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"'nowhere\.weight', which the model does not have"):
        build(Block(), Plan({"nowhere.weight": Step.SPECTRAL}))


def test_training_moves_every_parameter() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    before = [p.detach().clone() for p in model.parameters()]
    built = build(model, Plan({"0.weight": Step.SPECTRAL, "2.weight": Step.EUCLIDEAN}))
    model(torch.ones(5, 4)).square().mean().backward()
    for optimizer in built.optimizers:
        optimizer.step()
    assert not any(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def wrappings() -> dict[str, Callable[[nn.Module], Any]]:
    return {
        "compile": lambda model: torch.compile(model, backend="eager"),
        "checkpoint": checkpoint_wrapper,
        "both": lambda model: torch.compile(checkpoint_wrapper(model), backend="eager"),
        "DDP": DistributedDataParallel,
        "FSDP2": sharded,
    }


def sharded(model: nn.Module) -> nn.Module:
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("wrap", wrappings().values(), ids=wrappings())
def test_a_wrapped_model_is_built_like_the_bare_one(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    plan = Plan({"0.weight": Step.SPECTRAL})

    def groups(built: Built) -> list[list[list[int]]]:
        return [[[id(p) for p in g["params"]] for g in o.param_groups] for o in built.optimizers]

    wrapped = wrap(model)
    built = build(wrapped, plan)
    assert groups(built) == groups(build(model, plan))
    assert lint(wrapped, built.optimizers) == []
