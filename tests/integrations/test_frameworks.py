"""One line in each framework records a whole run, and leaves the training as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spectrain
from spectrain.core import Source

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the frameworks

STEPS = 4


def data() -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8 * STEPS, 4, generator=generator)
    return [{"x": row, "labels": row.flip(0)} for row in x]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
        output = self.down(self.up(x).relu())
        if labels is None:
            return output
        return {"loss": nn.functional.mse_loss(output, labels), "logits": output}


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


def trainer(folder: Path, callbacks: list[Any]) -> nn.Module:
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=4, gradient_accumulation_steps=2,
        num_train_epochs=1, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
        disable_tqdm=True, seed=1,
    )  # fmt: skip
    model = Net()
    Trainer(model=model, args=arguments, train_dataset=data(), callbacks=callbacks).train()
    return model


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


def accelerated(folder: Path | None) -> nn.Module:
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

    from spectrain.integrations.accelerate import watch

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = DataLoader(data(), batch_size=4)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    run = watch(accelerator, model, optimizer, folder, every=1, strict=True) if folder else None
    for batch in loader:
        with accelerator.accumulate(model):
            loss = model(**batch)["loss"]
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        if run:
            run.log(loss=loss)
    if run:
        run.__exit__(None, None, None)
    return model


def test_accelerate(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    plain = accelerated(None)
    assert equal(plain, accelerated(tmp_path / "run"))
    assert_whole(tmp_path / "run")
