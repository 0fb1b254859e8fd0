"""Lightning: python examples/lightning_trainer.py [FOLDER]."""

import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

import spectrain
from spectrain.integrations.lightning import WatchCallback

folder = sys.argv[1] if len(sys.argv) > 1 else "runs/lightning"


class Flip(LightningModule):
    """Learns to turn its input round."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        """The loss of one batch."""
        return nn.functional.mse_loss(self.net(batch), batch.flip(1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


data = torch.randn(256, 16, generator=torch.Generator().manual_seed(0))
trainer = Trainer(
    max_epochs=1,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    callbacks=[WatchCallback(folder)],
)
trainer.fit(Flip(), DataLoader(data, batch_size=16))  # type: ignore[arg-type]  # any sequence

print(spectrain.open_run(folder).metrics(source="gradient", measure="nuclear_rank"))
