"""
What is projected: the gradient or the update
=============================================

An experiment on the rank of gradients is easily an experiment on something else. Adam divides every
entry by a running mean of its own size, which raises the rank of a low-rank gradient again.
:class:`spectrain.optim.Intervened` acts on either side of an optimizer, and this example shows the
difference on a small network.
"""

from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import nn

from spectrain.matrix import diagonal_spectrum, effective_rank, nuclear_rank, spectrum
from spectrain.optim import Intervened
from spectrain.optim.interventions import KeepTop, Orthonormalize, Property

# %%
# A transformation says what it changes and what it conserves; the contract suite of the project
# holds it to that.

orthonormalize = Orthonormalize("exact")
print("conserves:", ", ".join(sorted(orthonormalize.conserves)))
print("changes:  ", ", ".join(sorted(orthonormalize.changes)))
assert Property.DIRECTIONS in orthonormalize.conserves

# %%
# A teacher–student task: 64 inputs, a hidden layer of 64 units.

WIDTH, BATCH, STEPS, RANK = 64, 128, 60, 5


def network(seed: int) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=WIDTH**-0.5, generator=generator)
    return model


def train(**intervention: Any) -> tuple[list[float], list[float], list[float]]:
    """Losses, and effective ranks of the hidden layer's gradient and update, step by step."""
    teacher, student = network(0), network(1)
    adam = torch.optim.Adam(student.parameters(), lr=3e-3)
    optimizer = Intervened(adam, **intervention) if intervention else adam
    generator = torch.Generator().manual_seed(2)
    weight = student.get_parameter("0.weight")
    losses, given, moved = [], [], []
    for _ in range(STEPS):
        x = torch.randn(BATCH, WIDTH, generator=generator)
        loss = (student(x) - teacher(x).detach()).square().mean()
        student.zero_grad()
        loss.backward()
        before = weight.detach().clone()
        optimizer.step()
        losses.append(loss.item())
        assert weight.grad is not None
        given.append(effective_rank(spectrum(weight.grad)).item())
        moved.append(effective_rank(spectrum(weight.detach() - before)).item())
    return losses, given, moved


arms = {
    "Adam": train(),
    f"gradient of rank {RANK}": train(gradient=KeepTop(RANK)),
    f"update of rank {RANK}": train(update=KeepTop(RANK)),
    "update orthonormalized": train(update=Orthonormalize()),
}

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for name, (losses, _, moved) in arms.items():
    left.plot(moved, label=name)
    right.semilogy(losses, label=name)
left.set(xlabel="step", ylabel="effective rank of the update", ylim=(0, WIDTH))
right.set(xlabel="step", ylabel="loss")
left.legend(fontsize=7)
figure.show()

# %%
# Projecting the gradient leaves Adam's update at a rank far above 5. Projecting the update does
# what it says.

ranks = {name: sum(moved) / STEPS for name, (_, _, moved) in arms.items()}
for name, rank in ranks.items():
    print(f"{name:24}{rank:6.1f}")
assert ranks[f"gradient of rank {RANK}"] > 3 * RANK
assert ranks[f"update of rank {RANK}"] < 1.01 * RANK

# %%
# How far orthonormalizing turns a gradient follows from its nuclear rank alone: cos = √(nr/r).

g = torch.randn(64, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
factor = orthonormalize(g)
cosine = (g * factor).sum() / (g.norm() * factor.norm())
rank = nuclear_rank(diagonal_spectrum(torch.linalg.svdvals(g)))
print(f"cosine {cosine:.6f}, √(nr/r) {(rank / 16).sqrt():.6f}")
assert abs(cosine - (rank / 16).sqrt()) < 1e-12
