"""What a watched run shows in each service, read back from the service's own files."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import spectrain
from spectrain import sinks
from spectrain.core import InputError, Sink

SERIES = "spectrain/gradient/nuclear_rank"


def watched(folder: Path, sink: Sink) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with spectrain.watch(model, optimizer, folder, every=1, strict=True, sinks=[sink]) as run:
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 4)).square().mean()
            loss.backward()
            optimizer.step()
            run.log(loss=loss)


def expected(folder: Path) -> list[float]:
    """Of the only block with the role mlp.in."""
    run = spectrain.open_run(folder)
    frame = run.metrics(source="gradient", measure="nuclear_rank", block="0.weight")
    return frame["value"].to_list()


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    watched(tmp_path / "run", sinks.tensorboard(tmp_path / "events"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert len(tags) <= 40
    assert [e.step for e in events.Scalars("spectrain/training/loss")] == [0, 1, 2]
    found = [e.value for e in events.Scalars(f"{SERIES}/mlp.in")]
    assert found == pytest.approx(expected(tmp_path / "run"), rel=1e-6)


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    settings = {"mode": "offline", "dir": str(tmp_path), "project": "test"}
    watched(tmp_path / "run", sinks.wandb(settings=settings))
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert SERIES.encode() in file.read_bytes()


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watched(tmp_path / "run", sinks.mlflow(tracking_uri=f"file://{tmp_path}/mlruns"))
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"file://{tmp_path}/mlruns")
        (run,) = client.search_runs(["0"])
        history = client.get_metric_history(run.info.run_id, f"{SERIES}/mlp.in")
    assert run.info.status == "FINISHED"
    assert [m.value for m in history] == pytest.approx(expected(tmp_path / "run"), rel=1e-6)


def test_trackio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("trackio", exc_type=ImportError)
        watched(tmp_path / "run", sinks.trackio("test"))
    assert any(
        SERIES.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(InputError, match="pip install wandb"):
        sinks.wandb()
