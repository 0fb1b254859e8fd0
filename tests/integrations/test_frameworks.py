"""One line in each framework records a whole run, and leaves the training as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import nn

import spectrain
from spectrain.core import Source
from support.distributed import call
from support.frameworks import STEPS, Net, accelerated, data, train_twice, trainer

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the frameworks


def assert_whole(folder: Path, steps: int = STEPS) -> spectrain.Run:
    run = spectrain.open_run(folder)
    for source in (Source.GRADIENT, Source.UPDATE, Source.WEIGHT, Source.INPUT, Source.BACKWARD):
        frame = run.metrics(source=source, measure="frobenius_norm")
        assert sorted(set(frame["step"])) == list(range(steps)), source
        assert frame["value"].null_count() == 0
    assert run.summary["finished"]
    assert run.summary["disabled_probes"] == {}
    assert not run.metrics(source=Source.TRAINING, measure="loss").is_empty()
    return run


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, one.parameters(), other.parameters()))


def test_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from spectrain.integrations.transformers import WatchCallback

    plain = trainer(tmp_path / "plain", [])
    callback = WatchCallback(tmp_path / "run", every=1, strict=True)
    assert equal(plain, trainer(tmp_path / "watched", [callback]))
    run = assert_whole(tmp_path / "run")
    assert set(run.metrics(source=Source.GRADIENT)["count"].drop_nulls()) == {8}
    assert not run.metrics(source=Source.NOISE).is_empty()  # two microbatches a step


def lightning(folder: Path, callbacks: list[Any]) -> nn.Module:
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def training_step(self, batch: dict[str, torch.Tensor], index: int) -> torch.Tensor:
            return self.net(batch["x"], batch["labels"])["loss"]

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-2, weight_decay=0.1)

    module = Module()
    Trainer(
        default_root_dir=folder, max_epochs=1, accelerator="cpu", devices=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=callbacks, gradient_clip_val=0.1,
    ).fit(module, DataLoader(data(), batch_size=8))  # fmt: skip
    return module


def test_lightning(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    from spectrain.integrations.lightning import WatchCallback

    plain = lightning(tmp_path / "plain", [])
    callback = WatchCallback(tmp_path / "run", every=1, strict=True)
    assert equal(plain, lightning(tmp_path / "watched", [callback]))
    run = assert_whole(tmp_path / "run")
    used = run.metrics(Source.GRADIENT, "frobenius_norm").filter(step=0)["value"]
    assert used.pow(2).sum() ** 0.5 <= 0.1 * (1 + 1e-5)  # clipped inside the closure
    assert_same_as_a_plain_loop(run, tmp_path / "loop")


def assert_same_as_a_plain_loop(run: spectrain.Run, folder: Path) -> None:
    """Lightning passes a closure, which must not show in any record."""
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    with spectrain.watch(model, optimizer, folder, every=1) as watched:
        for batch in torch.utils.data.DataLoader(data(), batch_size=8):
            optimizer.zero_grad()
            model(batch["x"], batch["labels"])["loss"].backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
    assert watched.path == folder
    key, measured = ["step", "block", "source", "measure", "index"], pl.col("source")
    ours, theirs = (
        r.metrics()
        .filter(~measured.is_in(["monitor", "training"]))
        .with_columns(pl.col("block").str.strip_prefix("net."))
        .sort(key)
        .select(*key, "value", "error")
        for r in (run, spectrain.open_run(folder))
    )
    assert_frame_equal(ours, theirs, rel_tol=1e-9)


def test_accelerate(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    plain = accelerated(None)
    assert equal(plain, accelerated(tmp_path / "run"))
    assert_whole(tmp_path / "run")


@pytest.mark.parametrize("framework", ["accelerate", "transformers"])
def test_two_processes_under_a_framework(tmp_path: Path, framework: str) -> None:
    """Its ranks share the work, are replicas for the noise, and train as if nobody watched."""
    pytest.importorskip(framework)
    call(train_twice, 2, tmp_path, (framework, tmp_path))
    for rank in (0, 1):
        plain, watched = (torch.load(tmp_path / f"{n}-{rank}.pt") for n in ("plain", "watched"))
        assert all(map(torch.equal, plain, watched))
    run = assert_whole(tmp_path / "run", steps=STEPS // 2)
    assert set(run.metrics(source=Source.GRADIENT)["rank"]) == {0, 1}
    assert set(run.metrics(source=Source.NOISE)["count"]) == {4}  # two microbatches a rank
