"""Trainings of one small model inside frameworks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

STEPS = 4


def data() -> Any:
    """A list of examples: a data set in all but its type."""
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


def accelerated(folder: Path | None) -> nn.Module:
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

    from spectrain.integrations.accelerate import watch

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader: Any = DataLoader(data(), batch_size=4)
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


def transformers(folder: Path | None) -> nn.Module:
    from spectrain.integrations.transformers import WatchCallback

    options = {"every": 1, "strict": True}
    return trainer(Path("unused"), [WatchCallback(folder, **options)] if folder else [])


BY_NAME: dict[str, Callable[[Path | None], nn.Module]] = {
    "accelerate": accelerated,
    "transformers": transformers,
}


def train_twice(framework: str, folder: Path) -> None:
    """As a launcher would have started this process: unwatched, then watched."""
    rank, size = dist.get_rank(), dist.get_world_size()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    os.chdir(folder)
    for name, place in (("plain", None), ("watched", folder / "run")):
        model = BY_NAME[framework](place)
        weights = [parameter.detach() for parameter in model.parameters()]
        torch.save(weights, folder / f"{name}-{rank}.pt")
