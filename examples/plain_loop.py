"""A training loop of one's own: python examples/plain_loop.py [FOLDER]."""

import sys

import torch
from torch import nn

import spectrain

folder = sys.argv[1] if len(sys.argv) > 1 else "runs/plain"
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

with spectrain.watch(model, optimizer, folder) as run:
    for _ in range(20):
        inputs = torch.randn(32, 16)
        loss = nn.functional.mse_loss(model(inputs), inputs.flip(1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(loss=loss, batch_size=len(inputs))

print(spectrain.open_run(folder).metrics(source="gradient", measure="nuclear_rank"))
