"""
Noise, decay and the scale of the weights
=========================================

Under weight decay a matrix whose gradients are noise ends at a norm that the learning rate and the
decay set. This example trains one matrix on noise and one on a signal, side by side, and asks which
is which, from the records alone.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import torch

import spectrain
from spectrain.answers import regime
from spectrain.regime import adamw_noise, equilibrium, expected_squared_norms
from spectrain_studies.models.noise_twin import noise_twin
from spectrain_studies.models.planted import Planted
from spectrain_studies.models.update_rules import AdamW

rate, decay, steps = 0.02, 0.25, 500  # a relaxation time of 1/(2ηλ) = 100 steps

# %%
# The gradient of ``noise`` is drawn anew at each step; that of ``signal`` points to a target.

model = Planted(16, generator=torch.Generator().manual_seed(0))
optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
folder = tempfile.mkdtemp()
with spectrain.watch(model, optimizer, f"{folder}/run", every=10) as watched:
    for _ in range(steps):
        loss = model()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watched.log(loss=loss)

# %%
# The finding holds each norm against the path of its noise twin.

run = spectrain.open_run(f"{folder}/run")
finding = regime(run)
print(finding.statement)
for row in finding.rows:
    print(f"{row['block']:14} {row['verdict']:14} norm/twin {row['ratio']:.2f}")

verdicts = {row["block"]: row["verdict"] for row in finding.rows}
assert verdicts == {"noise.weight": "equilibrium", "signal.weight": "signal-driven"}

# %%
# Twins themselves: eight matrices on random gradients, beside the theory's path.

twin = noise_twin(
    AdamW,
    (16, 16),
    twins=8,
    learning_rates=[rate] * steps,
    weight_decay=decay,
    generator=torch.Generator().manual_seed(1),
    initial=0.25,
)
path = expected_squared_norms(
    adamw_noise(256), initial=16.0, learning_rates=[rate] * steps, weight_decay=decay
)
settled = equilibrium(adamw_noise(256), learning_rate=rate, weight_decay=decay)
print(f"equilibrium {settled.norm:.3f}, twins {twin.squared_norms[-1].sqrt().mean():.3f}")
assert abs(twin.squared_norms[-1].sqrt().mean().item() / settled.norm - 1) < 0.1

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot(twin.squared_norms.sqrt(), color="0.8", linewidth=0.8)
axes.plot(np.sqrt(path), "k--", label="noise twin, theory")
for name, color in (("noise", "#14525a"), ("signal", "#a85a14")):
    norms = run.metrics(source="weight", measure="frobenius_norm", block=f"{name}.weight")
    axes.plot(norms["step"], norms["value"], color=color, label=f"{name}.weight")
axes.set(xlabel="step", ylabel="norm", ylim=(0, None))
axes.legend(frameon=False)
figure.show()
