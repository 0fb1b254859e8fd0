"""
Signal and noise of a gradient
==============================

A training that accumulates gradients over microbatches sees each gradient several times. Watched,
it tells signal from noise, and what kind of noise there is.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

import spectrain
from spectrain.answers import noise, read_directions
from spectrain.noise import additive, directions, multiplicative, pooled_echo

# %%
# A linear layer that learns a map of eight directions from noisy targets, in steps of eight
# microbatches.

generator = torch.Generator().manual_seed(0)
strength = torch.tensor([3.0, 2.4, 1.9, 1.5, 1.2, 0.9, 0.7, 0.5])
truth = torch.zeros(40, 40)
truth[range(8), range(8)] = strength
model = nn.Linear(40, 40, bias=False)
nn.init.zeros_(model.weight)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

folder = Path(tempfile.mkdtemp()) / "run"
with spectrain.watch(model, optimizer, folder, every=1) as run:
    for _ in range(10):
        for _ in range(8):
            x = torch.randn(256, 40, generator=generator)
            y = x @ truth.T + 2 * torch.randn(256, 40, generator=generator)
            (nn.functional.mse_loss(model(x), y, reduction="sum") / 256 / 8).backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(batch_size=8 * 256)

# %%
# The finding: noise scale, directions that are signal, kind of noise. At the start the gradient is
# −2·truth in expectation, so the noise scale is known: E‖g‖² of one example less that of the mean.

finding = noise(spectrain.open_run(folder))
(row,) = finding.rows
print(finding.statement)
energy = strength.square().sum().item()
per_example = 4 * ((40 + 2) * energy + 40 * 40 * 4 - energy)
expected = per_example / (4 * energy)
print(f"noise scale {row['noise_scale']:.0f} examples, in theory about {expected:.0f}")
assert 0.7 * expected < row["noise_scale"] < 1.4 * expected

# %%
# Echo against singular value, with what isotropic and proportional noise predict.

last = read_directions(spectrain.open_run(folder))["weight"][-1]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
left.errorbar(last.sigma, last.echo, yerr=last.echo_error, fmt="o", color="#3f4fb5")
left.plot(last.sigma, last.isotropic, ":", color="0.4", label="isotropic noise")
left.plot(last.sigma, last.proportional, color="0.4", label="proportional noise")
left.set(xscale="log", xlabel="σ of the mean", ylabel="echo ζ", ylim=(0, 1.05))
left.legend(frameon=False)
assert last.echo[0] > 0.5

# %%
# The same number on simulations: under additive noise the echo depends on the singular value, under
# multiplicative noise it does not, and more replicas change neither.

sigma = [2.0, 4.0, 8.0, 16.0]
for kind, color in (("additive", "#b5651d"), ("multiplicative", "#1f7a6c")):
    echoes = []
    for value in sigma:
        g = torch.zeros(40, 60)
        g[0, 0] = value
        if kind == "additive":
            stack = additive(g, replicas=12, generator=generator, row_std=60**-0.5)
        else:
            stack = multiplicative(g, replicas=12, generator=generator, left=0.05, right=0.05)
        echoes.append(pooled_echo(directions(stack, k=1).reverb).item())
    right.plot(sigma, echoes, "o-", color=color, label=kind)
    spread = max(echoes) - min(echoes)
    assert spread > 0.1 if kind == "additive" else spread < 0.05
right.set(xscale="log", xlabel="σ", ylabel="echo ζ", ylim=(0, 1.05))
right.legend(frameon=False)
plt.show()
