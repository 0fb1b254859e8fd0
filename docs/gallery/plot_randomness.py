"""
Levels that repel
=================

Two equal eigenvalues of a target are never learnt as equal: the noise of mini-batches is a random
matrix, and eigenvalues of random matrices repel each other. Three hundred Gaussian machines learn a
lattice field whose modes come in pairs. Their spacings follow the Wigner surmise, and their mean
spacing the linear scaling rule.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from spectrain.monitor import measure_bulk
from spectrain.rmt import WignerSurmise
from spectrain_studies.models.rbm import LatticeField, ScalarRBM, Target, start_runs, train_rbm

field, machine = LatticeField(sites=10, mass_squared=4.0), ScalarRBM(mass_squared=9.0)
print("modes of the target:", [round(mode, 3) for mode in field.modes.tolist()])

# %%
# All runs are one tensor program. They start where the target is learnt, and are read several times
# once the noise has spread their levels.

generator = torch.Generator().manual_seed(0)


def levels(rate: float, batch: int, runs: int = 300) -> np.ndarray:
    """Learned modes λ = μ² − x of every run, ascending."""
    weights = machine.start_at(field.kernel, 10, count=runs, generator=generator)
    state = start_runs(weights, batch, machine=machine, generator=generator)
    target, read = Target(field.correlator), []
    for _ in range(4):
        state = train_rbm(
            machine, target, state, rate=rate, updates=round(10 / rate), generator=generator
        )
        read.append(9 - state.levels.flip(-1))
    return torch.cat(read[1:]).numpy()


points = {(rate, batch): levels(rate, batch) for rate, batch in ((0.1, 16), (0.1, 64), (0.2, 32))}

# %%
# The first pair, κ = 4.382. In units of its mean the spacing has one law, whatever α and \|B\|; the
# mean itself goes as √(α/\|B\|), with √(2π(μ² − κ)) before it.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
kappa, grid = float(field.modes[1]), np.linspace(0, 3.5, 200)
for (rate, batch), found in points.items():
    s = found[:, 2] - found[:, 1]
    name = f"α = {rate}, |B| = {batch}"
    left.hist(s / s.mean(), bins=25, density=True, histtype="step", label=name)
    theory = np.sqrt(2 * np.pi * rate / batch * (9 - kappa))
    right.plot(theory, s.mean(), "o", label=name)
    print(f"{name}: mean spacing {s.mean():.3f}, small-α theory {theory:.3f}")
    assert abs(s.mean() / theory - 1) < 0.15
left.plot(grid, WignerSurmise().density(grid), "k", label="Wigner surmise")
left.set(xlabel="S/⟨S⟩", ylabel="density")
left.legend(fontsize=7)
right.plot([0, 0.5], [0, 0.5], "k--", linewidth=0.8)
right.set(xlabel="√(2π(α/|B|)(μ² − κ))", ylabel="⟨S⟩", xlim=(0, 0.5), ylim=(0, 0.5))
right.legend(fontsize=7)
figure.show()

# %%
# A random bulk can be worth something. Here a layer learns a rank-two map from noisy data: its
# spikes hold the map, its bulk is what the noise left, and without it the loss is lower.

inputs = torch.randn(8, 256, 64, generator=generator)
truth = torch.zeros(48, 64)
truth[0, 0], truth[1, 1] = 3.0, 2.0
model = torch.nn.Linear(64, 48, bias=False)
with torch.no_grad():
    model.weight.copy_(truth + 0.1 * torch.randn(48, 64, generator=generator))

batches = [(x, x @ truth.T) for x in inputs]
worth = measure_bulk(model, lambda m, batch: (m(batch[0]) - batch[1]).square().mean(), batches)
print(f"spikes {worth.spikes['weight']}, energy in the bulk {worth.energy['weight']:.0%}")
for surgery, change in worth.together.items():
    print(f"{surgery:16} changes the loss of {worth.loss.value:.3f} by {change.value:+.3f}")

assert worth.spikes["weight"] == 2
assert worth.together["bulk_truncated"].value < 0
assert worth.together["spikes_removed"].value > 0
