"""How watched runs begin and end, and what is said of it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import spectrain
from spectrain.core import MonitorWarning, Record, Source
from spectrain.monitor.ending import close_all
from spectrain.records import RunWriter, State, first_not_finite, open_run


def parts() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(4, 4)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()


def test_steps_that_were_never_seen_are_told(tmp_path: Path) -> None:
    model, optimizer = parts()
    run = spectrain.watch(model, optimizer, tmp_path / "run")
    for _ in range(3):
        model(torch.ones(2, 4)).square().mean().backward()
        for parameter in model.parameters():
            parameter.data -= 0.1 * parameter.grad
    with pytest.warns(MonitorWarning, match=r"no step of an optimizer was seen.*run\.update\(\)"):
        run.close()


def test_one_of_several_optimizers_that_never_stepped_is_told(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.Adam(model[1].parameters(), lr=0.1)
    run = spectrain.watch(model, [first, second], tmp_path / "run")
    for _ in range(3):
        step(model, first)
    with pytest.warns(MonitorWarning, match=r"no step was seen of Adam \(2 of 2\)"):
        run.close()


def test_updates_by_hand_are_steps_once_they_are_told(tmp_path: Path) -> None:
    """The records are those of the same updates by the optimizer."""
    frames = []
    for by_hand in (False, True):
        model, optimizer = parts()
        with spectrain.watch(model, optimizer, tmp_path / f"run{by_hand}", every=1) as run:
            for _ in range(3):
                optimizer.zero_grad()
                model(torch.ones(2, 4)).square().mean().backward()
                if by_hand:
                    with run.update(), torch.no_grad():
                        for parameter in model.parameters():
                            assert parameter.grad is not None
                            parameter.add_(parameter.grad, alpha=-0.1)
                else:
                    optimizer.step()
        frames.append(open_run(run.path).metrics(source=["gradient", "update", "weight"]))
    assert frames[0].equals(frames[1])
    assert frames[0]["step"].max() == 2


def test_no_steps_and_no_forward_pass_is_no_fault(tmp_path: Path) -> None:
    with spectrain.watch(*parts(), tmp_path / "run"):
        pass
    assert open_run(tmp_path / "run").summary["steps"] == 0


def test_a_second_start_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    names = []
    for number in range(3):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, optimizer = parts()
            with spectrain.watch(model, optimizer, tmp_path / "mine") as run:
                step(model, optimizer)
                run.log(loss=number)
        names.append(run.path.name)
        assert [str(w.message).count("resume=True") for w in caught] == [1] * (number > 0)
    assert names == ["mine", "mine-2", "mine-3"]
    losses = [open_run(tmp_path / n).metrics(measure="loss")["value"].item() for n in names]
    assert losses == [0, 1, 2]


def test_resuming_stays_in_the_folder(tmp_path: Path) -> None:
    for start in (0, 1):
        model, optimizer = parts()
        with spectrain.watch(
            model, optimizer, tmp_path / "mine", start_step=start, resume=start > 0, every=1
        ):
            step(model, optimizer)
    assert open_run(tmp_path / "mine").metrics(source="gradient")["step"].max() == 1


def test_a_run_without_with_is_closed_at_the_end_of_the_program(tmp_path: Path) -> None:
    model, optimizer = parts()
    spectrain.watch(model, optimizer, tmp_path / "run", every=1)
    step(model, optimizer)
    assert open_run(tmp_path / "run").state is State.RUNNING
    with pytest.warns(MonitorWarning, match="nobody closed"):
        close_all()
    assert open_run(tmp_path / "run").state is State.FINISHED
    close_all()  # nothing is left to say


def test_a_run_that_dies_with_its_model_leaves_its_records(tmp_path: Path) -> None:
    model, optimizer = parts()
    spectrain.watch(model, optimizer, tmp_path / "run", dense=2, every=1000)
    for _ in range(4):
        step(model, optimizer)
    del model, optimizer
    gc.collect()
    assert open_run(tmp_path / "run").metrics(source="gradient")["step"].max() == 1


def test_closing_by_hand(tmp_path: Path) -> None:
    model, optimizer = parts()
    run = spectrain.watch(model, optimizer, tmp_path / "run")
    step(model, optimizer)
    run.close()
    run.close()
    assert open_run(tmp_path / "run").state is State.FINISHED


def test_states_of_a_run(tmp_path: Path) -> None:
    model, optimizer = parts()
    run = spectrain.watch(model, optimizer, tmp_path / "run")
    opened = open_run(tmp_path / "run")
    assert (opened.state, opened.last_record_at) == (State.RUNNING, None)
    step(model, optimizer)
    with pytest.raises(KeyError), run:
        raise KeyError("crash")
    assert opened.state is State.FAILED
    assert opened.summary["error"] == "KeyError"
    assert opened.last_record_at is not None


def test_a_killed_run_is_known(tmp_path: Path) -> None:
    """Its process is gone, and with it the lock."""
    folder = tmp_path / "run"
    script = (
        "import os, sys\n"
        "from spectrain.core import Record, Source\n"
        "from spectrain.records import RunWriter\n"
        "writer = RunWriter(sys.argv[1], manifest={})\n"
        "writer.write([Record(0, None, Source.TRAINING, 'loss', 1.0)])\n"
        "writer.flush()\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=False, env=dict(os.environ))
    run = open_run(folder)
    assert run.state is State.KILLED
    assert run.last_record_at is not None


def test_what_is_not_finite_is_an_event(tmp_path: Path) -> None:
    model, optimizer = parts()
    run = spectrain.watch(model, optimizer, tmp_path / "run", every=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(6):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 4)).square().mean() * (torch.nan if number >= 3 else 1.0)
            loss.backward()
            optimizer.step()
            run.log(loss=loss)
    run.close()
    (told,) = caught
    assert "loss is not finite (NaN or infinite) at step 3" in str(told.message)
    event = first_not_finite(open_run(tmp_path / "run"))
    assert event is not None
    assert (event.step, event.source, event.name, event.last_finite) == (3, "training", "loss", 2)
    rows = open_run(tmp_path / "run").metrics(measure="not_finite").filter(step=3)
    assert set(rows.select("source", "block").iter_rows()) == {
        (source, name) for source in ("gradient", "weight") for name in ("weight", "bias")
    }


def test_without_a_loss_the_gradient_tells(tmp_path: Path) -> None:
    """Sampled every second step: the event lies between the last finite sample and the first."""
    model, optimizer = parts()
    run = spectrain.watch(model, optimizer, tmp_path / "run", every=2, dense=0)
    for number in range(5):
        optimizer.zero_grad()
        (model(torch.ones(2, 4)).square().mean() * (torch.inf if number >= 3 else 1.0)).backward()
        optimizer.step()
    with pytest.warns(MonitorWarning, match=r"gradient of weight is not finite .* at step 4"):
        run.close()
    event = first_not_finite(open_run(tmp_path / "run"))
    assert event is not None
    assert (event.step, event.source, event.name, event.last_finite) == (4, "gradient", "weight", 2)
    assert "between them nothing was sampled" in str(event)


def test_a_step_that_a_scaler_undoes_is_no_event(tmp_path: Path) -> None:
    model, _ = parts()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    optimizer.found_inf, optimizer.grad_scale = torch.tensor(1.0), torch.tensor(2.0)  # type: ignore[attr-defined]
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1):
        (model(torch.ones(2, 4)).square().mean() * torch.inf).backward()
        optimizer.step()
    assert first_not_finite(open_run(tmp_path / "run")) is None


def test_a_run_of_finite_numbers_has_no_event(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", manifest={})
    writer.write([Record(0, None, Source.TRAINING, "best", float("inf"))])
    writer.close({})
    assert first_not_finite(open_run(tmp_path / "run")) is None


def test_numbers_whose_squares_overflow_are_finite(tmp_path: Path) -> None:
    model = torch.nn.Linear(4, 4, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with torch.no_grad():
        model.weight.fill_(3e38)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1):
        for _ in range(2):
            model(torch.zeros(2, 4)).sum().backward()
            model.weight.grad = torch.full((4, 4), -3e38)
            optimizer.step()
    assert open_run(tmp_path / "run").metrics(measure="not_finite").is_empty()


def test_a_watch_that_ended_leaves_no_hook(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = hooks_of(model, optimizer)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1):
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
        assert hooks_of(model, optimizer) != before
    assert hooks_of(model, optimizer) == before


def hooks_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """Hooks by what holds them and their kind."""
    holders = {**dict(model.named_modules()), **dict(model.named_parameters()), "step": optimizer}
    return {
        f"{name}.{kind}": len(hooks)
        for name, holder in holders.items()
        for kind in (*vars(holder), "_backward_hooks", "_post_accumulate_grad_hooks")
        if kind.endswith("_hooks")
        and isinstance(hooks := getattr(holder, kind, None), dict)
        and hooks
    }
