"""
Watch a small model learn
=========================

Two lines around a training loop, and every matrix of the model leaves its spectra in a run folder:
gradients, updates, weights, and what feeds each of them.
"""

import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
import torch
from torch import nn

import spectrain
from spectrain.answers import diagnose

# %%
# A three-layer network on a sparse target, y = x₁x₂x₃ (the example of Davis & Drusvyatskiy,
# Figure 1, at a smaller size).

torch.manual_seed(0)
inputs = torch.randn(256, 32)
targets = inputs[:, :3].prod(dim=1, keepdim=True)
model = nn.Sequential(
    nn.Linear(32, 128, bias=False),
    nn.ReLU(),
    nn.Linear(128, 128, bias=False),
    nn.ReLU(),
    nn.Linear(128, 1, bias=False),
)
untrained = copy.deepcopy(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

# %%
# ``watch`` finds the blocks, hooks what it needs, and lets go of everything at the end. Here every
# tenth step is sampled; without ``every`` a budget for the overhead decides.

folder = Path(tempfile.mkdtemp()) / "run"
with spectrain.watch(model, optimizer, folder, every=10) as run:
    for _ in range(300):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        run.log(loss=loss, batch_size=len(inputs))

# %%
# The run folder answers as Polars frames.

run = spectrain.open_run(folder)
for block in run.blocks:
    print(f"{block.name:12}{block.role:10}{block.shape}")

gradients = run.metrics(source="gradient", measure="effective_rank")
print(gradients.select("step", "block", "value", "count").tail(3))

# %%
# What was recorded is what a brute-force computation gives.

first = run.spectra(source="gradient", block="2.weight").row(0, named=True)
nn.functional.mse_loss(untrained(inputs), targets).backward()
expected = torch.linalg.svdvals(untrained[2].weight.grad)
torch.testing.assert_close(torch.tensor(first["values"]), expected, rtol=1e-4, atol=1e-6)

# %%
# One block through time: the loss, and the two ranks of the descent criterion.

history = run.history("2.weight").filter(pl.col("gradient/nuclear_rank").is_not_null())
loss = run.metrics(source="training", measure="loss")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.semilogy(loss["step"], loss["value"])
left.set(xlabel="step", ylabel="loss")
right.plot(history["step"], history["gradient/nuclear_rank"], label="nr of the gradient")
right.plot(history["step"], history["input/stable_rank"], label="st of the input")
right.set(xlabel="step", ylim=(0, None))
right.legend()
figure.show()

assert loss["value"][-1] < loss["value"][0]

# %%
# The same numbers in words.

for finding in diagnose(run):
    print(f"{finding.name}: {finding.statement} [{finding.label}]")
