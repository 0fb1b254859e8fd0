"""A trial from inside a loop: the training goes on bit by bit, and the run folder keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

import spectrain
from spectrain.answers import descent, plan_of
from spectrain.answers.tried import evidence, trials_of
from spectrain.cli.main import main
from spectrain.core import InputError, RunError, Step
from spectrain.optim.spectral_momentum import SpectralMomentum
from spectrain.report.page import render
from spectrain.trials import Change, SetUp, Stepper, to_muon
from spectrain.trials.live import setup_of


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up, self.norm = nn.Linear(4, 8), nn.BatchNorm1d(8)
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.norm(self.up(x)).relu()))


def batch(step: int) -> Tensor:
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(step))


def loss_of(model: nn.Module, x: Tensor) -> Tensor:
    return (model(x) - x.flip(1)).square().mean()


def made(model: nn.Module) -> list[Optimizer]:
    muon = [model.get_parameter("up.weight")]
    rest = [p for n, p in model.named_parameters() if n != "up.weight"]
    return [Muon(muon, lr=0.02), AdamW(rest, lr=1e-3, betas=(0.9, 0.95))]


def useful(base: SetUp) -> list[Change]:
    """A head that learns a thousand times faster gains for sure."""
    return [to_muon(base, "head.weight", rate=1000.0, name="head & <b>faster</b>")]


def trained(folder: Path, *, tried: bool) -> list[Tensor]:
    model = Net()
    optimizers = made(model)
    optimizers[1].param_groups[0]["lr"] = 1e-4
    torch.manual_seed(7)
    with spectrain.watch(model, optimizers, folder, every=2) as run:
        for step in range(10):
            loss = loss_of(model, batch(step))
            loss.backward()
            if tried and step == 5:
                kept = [p.grad.clone() for p in model.parameters() if p.grad is not None]
                found = run.trial(
                    loss_of, batch, [batch(-1)], useful, steps=40, share=16.0, progress=False
                )
                assert found.adopted == ("head & <b>faster</b>",)
                grads = [p.grad for p in model.parameters() if p.grad is not None]
                assert all(map(torch.equal, kept, grads))
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            run.log(loss=loss)
    moments = [
        value
        for optimizer in optimizers
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    ]
    return [*model.state_dict().values(), *moments, torch.get_rng_state()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("live")
    with_trial = trained(place / "run", tried=True)
    without = trained(place / "other", tried=False)
    assert len(with_trial) == len(without)
    assert all(map(torch.equal, with_trial, without))
    return place / "run"


def test_the_run_keeps_it_and_the_plan_follows(folder: Path) -> None:
    run = spectrain.open_run(folder)
    (trial,) = trials_of(run)
    assert trial.step == 5
    assert trial.sentence.startswith("Trial at step 5: Adopt head")
    found = evidence([trial], run.blocks)
    assert found["head.weight"].step is Step.SPECTRAL
    plan = plan_of(descent(run), evidence=found)
    assert plan["head.weight"] is Step.SPECTRAL
    assert plan.evidence["head.weight"]["basis"].startswith("trial at step 5: head")
    assert plan.evidence["head.weight"]["gain_low"] > 0
    assert plan.evidence["up.weight"]["basis"].startswith("usual routing")


def test_page_and_terminal_show_it(folder: Path, tmp_path: Path, capsys: object) -> None:
    page = render(spectrain.open_run(folder), tmp_path / "page.html").read_text("utf-8")
    assert "head &amp; &lt;b&gt;faster&lt;/b&gt;" in page
    assert "<b>faster</b>" not in page
    assert page.count('opacity="0.7"></polyline>') == 4
    assert main(["explain", str(folder)]) == 0
    assert main(["advise", str(folder)]) == 0
    shown = capsys.readouterr().out  # type: ignore[attr-defined]
    assert shown.count("Trial at step 5: Adopt head") == 2


def test_a_damaged_trial_is_told(tmp_path: Path) -> None:
    trained(tmp_path / "run", tried=False)
    place = tmp_path / "run" / "trials"
    place.mkdir()
    run = spectrain.open_run(tmp_path / "run")
    assert trials_of(run) == []
    for content, message in (("{", "is no trial"), ('{"step": 3}', "lacks 'setup'")):
        (place / "step-000000003.json").write_text(content)
        with pytest.raises(RunError, match=message):
            trials_of(run)


def test_set_up_of_optimizers() -> None:
    model = Net()
    setup = setup_of(model, made(model))
    assert setup.assignments["up.weight"].rule is Stepper.MUON
    assert (setup.muon_lr, setup.adamw_lr) == (0.02, 1e-3)
    assert setup.assignments["head.bias"].decay == 0.01
    again = setup_of(model, setup.optimizers(model))
    assert again == setup
    part = setup_of(model, [SpectralMomentum([model.up.weight], lr=0.1, cut=2)])
    assert part.assignments["up.weight"].cut == 2
    assert part.assignments["head.weight"].rate == 0.0
    with pytest.raises(InputError, match="cannot go on with SGD"):
        setup_of(model, [SGD(model.parameters(), lr=0.1)])
    groups = [
        {"params": [model.up.weight], "betas": (0.9, 0.99)},
        {"params": [model.head.weight], "betas": (0.8, 0.99)},
    ]
    with pytest.raises(InputError, match="groups of adamw differ in betas"):
        setup_of(model, [Adam(groups)])
