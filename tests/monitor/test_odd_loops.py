"""Loops that are not the usual one: scalers, closures, late groups, thawed and lazy parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import spectrain
from spectrain.core import MonitorWarning, Source
from spectrain.monitor.schedule import Schedule
from spectrain.records import Run
from support.table import one_process, refused


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))


def sgd(parameters: Any) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def norm_of_gradient(run: Run, block: str, step: int) -> float:
    frame = run.metrics(Source.GRADIENT, "frobenius_norm", block).filter(step=step)
    return frame["value"].item()


def test_a_scaler_shows_unscaled_gradients_and_skipped_steps_end_nothing(tmp_path: Path) -> None:
    model = net()
    optimizer = sgd(model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    norms = []
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True) as run:
        for attempt in range(4):
            factor = torch.inf if attempt == 1 else 1.0
            loss = model(torch.ones(2, 4)).square().mean() * factor
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            norms.append(model[0].weight.grad.norm().item())
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        assert run.step == 3
    read = spectrain.open_run(tmp_path / "run")
    for step, norm in enumerate([norms[0], norms[2], norms[3]]):
        assert norm_of_gradient(read, "0.weight", step) == pytest.approx(norm, rel=1e-6)


def test_two_optimizers_at_different_paces(tmp_path: Path) -> None:
    first, second = net(), net()
    both = nn.ModuleDict({"critic": first, "generator": second})
    fast, slow = sgd(first.parameters()), sgd(second.parameters())
    with spectrain.watch(both, [fast, slow], tmp_path / "run", every=1, strict=True) as run:
        for _ in range(2):
            for _ in range(3):
                first(torch.ones(2, 4)).sum().backward()
                fast.step()
            second(torch.ones(2, 4)).sum().backward()
            slow.step()
        assert run.step == 6
    read = spectrain.open_run(tmp_path / "run")
    steps = read.metrics(source=Source.GRADIENT, block="generator.0.weight")["step"]
    assert sorted(set(steps)) == [2, 5]


def test_groups_added_late_and_parameters_thawed_late(tmp_path: Path) -> None:
    model = net()
    model[2].requires_grad_(False)
    optimizer = sgd(model[0].parameters())
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        for step in range(4):
            if step == 2:
                model[2].requires_grad_(True)
                optimizer.add_param_group({"params": list(model[2].parameters()), "lr": 0.01})
            optimizer.zero_grad()
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()
    read = spectrain.open_run(tmp_path / "run")
    assert {block.name for block in read.blocks} == {"0.weight", "2.weight"}
    assert [group["name"] for group in read.manifest["groups"]] == ["group 0.0", "group 0.1"]
    late = read.metrics(source=Source.UPDATE, block="2.weight")["step"]
    assert sorted(set(late)) == [3]  # a survey is made between steps
    rates = read.metrics(source=Source.OPTIMIZER, block="group 0.1", measure="learning_rate")
    assert rates["step"].to_list() == [2, 3]


@pytest.mark.parametrize("last", [nn.Linear(8, 4), nn.LazyLinear(4)])
def test_lazy_parameters_are_watched_once_they_exist(last: nn.Module, tmp_path: Path) -> None:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), last)
    optimizer = sgd(model.parameters())
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()
    read = spectrain.open_run(tmp_path / "run")
    assert sorted(set(read.metrics(source=Source.GRADIENT, block="0.weight")["step"])) == [1, 2]
    assert not any(skipped.parameter == "0.weight" for skipped in read.skipped)


def test_a_schedule_that_fails_ends_the_watching_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def samples(schedule: Schedule, step: int) -> bool:
        if step == 2:
            raise OverflowError("too much")
        return step < 2

    monkeypatch.setattr(Schedule, "samples", samples)
    layer = nn.Linear(4, 4, bias=False)
    optimizer = sgd(layer.parameters())

    def train() -> None:
        with spectrain.watch(layer, optimizer, tmp_path / "run") as run:
            for _ in range(5):
                layer(torch.eye(4)).sum().backward()
                optimizer.step()
                run.log(loss=1.0)

    words = "schedule of the samples failed, .*no step is sampled any more.*too much"
    with pytest.warns(MonitorWarning, match=words):
        train()
    losses = spectrain.open_run(tmp_path / "run").metrics(measure="loss")
    assert losses["step"].to_list() == [*range(5)]


def test_a_module_used_twice_counts_both_inputs(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4, bias=False)
    optimizer = sgd(layer.parameters())
    with spectrain.watch(layer, optimizer, tmp_path / "run", every=1, strict=True):
        layer(layer(torch.eye(4))).sum().backward()
        optimizer.step()
    read = spectrain.open_run(tmp_path / "run")
    counts = read.metrics(source=Source.INPUT, block="weight")["count"]
    assert set(counts) == {8}


def test_hooks_of_others_are_left_alone(tmp_path: Path) -> None:
    model = net()
    optimizer = sgd(model.parameters())
    calls = {"forward": 0, "gradient": 0, "step": 0}

    def count(name: str) -> None:
        calls[name] += 1

    model[0].register_forward_pre_hook(lambda *_: count("forward"))
    model[0].weight.register_post_accumulate_grad_hook(lambda _: count("gradient"))
    optimizer.register_step_pre_hook(lambda *_: count("step"))
    with spectrain.watch(model, optimizer, tmp_path / "run", every=2, strict=True):
        for _ in range(4):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    assert calls == {"forward": 5, "gradient": 5, "step": 5}


def test_a_closure_that_is_called_several_times(tmp_path: Path) -> None:
    plain, watched = net(), net()
    expected = lbfgs(plain, None)
    assert torch.equal(lbfgs(watched, tmp_path / "run"), expected)
    read = spectrain.open_run(tmp_path / "run")
    assert sorted(set(read.metrics(source=Source.UPDATE, block="0.weight")["step"])) == [0, 1]


def lbfgs(model: nn.Module, folder: Path | None) -> Tensor:
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.eye(4)).square().mean()
        loss.backward()
        return loss

    run = spectrain.watch(model, optimizer, folder, every=1, strict=True) if folder else None
    for _ in range(2):
        optimizer.step(closure)
    if run:
        run.__exit__(None, None, None)
    return model[0].weight.detach()


def test_checkpointing_counts_once(tmp_path: Path) -> None:
    for reentrant in (True, False):
        model = net()
        optimizer = sgd(model.parameters())
        folder = tmp_path / str(reentrant)
        with spectrain.watch(model, optimizer, folder, every=1, strict=True) as run:
            run.begin()
            x = torch.ones(2, 4, requires_grad=True)
            checkpoint(model, x, use_reentrant=reentrant).sum().backward()
            optimizer.step()
        counts = spectrain.open_run(folder).metrics(source=Source.INPUT)["count"]
        assert set(counts) == {2}, reentrant


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nn.DataParallel", "DataParallel is not supported.*use DistributedDataParallel"),
        ("FullyShardedDataParallel (FSDP1)", "FullyShardedDataParallel is not.*use .*fully_shard"),
    ],
)
def test_old_wrappers_are_refused_by_name(tmp_path: Path, name: str, told: str) -> None:
    with one_process():
        model = refused()[name]()
        with pytest.raises(spectrain.core.InputError, match=f"(?s){told}"):
            spectrain.watch(model, sgd(model.parameters()), tmp_path / "run")


class Opaque:
    """An output that nobody can look into."""

    def __init__(self, hidden: torch.Tensor) -> None:
        self.hidden = hidden


class Checkpointed(nn.Module):
    """Two layers with reentrant checkpoints; outside of them a scale that may be frozen."""

    def __init__(self, *, opaque: bool) -> None:
        super().__init__()
        self.scale = nn.Linear(4, 4).requires_grad_(opaque)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.opaque = opaque

    def forward(self, x: torch.Tensor) -> torch.Tensor | Opaque:
        x = self.scale(x)
        x = x if x.requires_grad else x.requires_grad_()
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=True)
        return Opaque(x) if self.opaque else x


@pytest.mark.parametrize("opaque", [False, True])
def test_gradients_are_read_after_the_outermost_of_nested_passes(
    tmp_path: Path, opaque: bool
) -> None:
    """What DDP does at the end of the pass, here a doubling, has been done when they are read."""
    torch.manual_seed(0)
    model = Checkpointed(opaque=opaque)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    trained = [p for _, p in named]
    optimizer = torch.optim.SGD(trained, lr=0.1)

    def finish() -> None:
        for parameter in trained:
            assert parameter.grad is not None
            parameter.grad *= 2

    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True):
        for _ in range(2):
            output = model(torch.randn(3, 4))
            hidden = output.hidden if isinstance(output, Opaque) else output
            engine = torch.autograd.Variable._execution_engine
            hidden.register_hook(lambda _, engine=engine: engine.queue_callback(finish))
            hidden.square().sum().backward()
            norms = {
                n: p.grad.norm().item() for n, p in model.named_parameters() if p.requires_grad
            }
            optimizer.step()
            optimizer.zero_grad()
    frame = (
        spectrain.open_run(tmp_path / "run").metrics("backward", "frobenius_norm").filter(step=1)
    )
    found = dict(frame.select("block", "value").iter_rows())
    assert len(found) == 2 + opaque
    assert found == pytest.approx({name: norms[name] for name in found}, rel=1e-6)
