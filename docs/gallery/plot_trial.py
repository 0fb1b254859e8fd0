"""
A trial of your own model and your own change
=============================================

Which optimizer suits which of your matrices is nobody's to tell beforehand. A trial finds out on
short branches of your training, and adopts a change only where it gains for sure. The model here is
nothing that the project knows: a mixer over time and features, written on the spot.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

import spectrain
from spectrain.trials import Change, SetUp, to_adamw

# %%
# The model, its loss, and batches by step: all that a trial needs.

TIME, FEATURES, BATCH = 8, 12, 32


class Mixer(nn.Module):
    """Mixes over time, then over features."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Linear(TIME, TIME)
        self.widen, self.narrow = nn.Linear(FEATURES, 2 * FEATURES), nn.Linear(2 * FEATURES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = x + self.time(x.mT).mT
        return self.narrow(torch.relu(self.widen(mixed))).squeeze(-1)


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Series, and what their first two features were two steps before, the second rectified."""
    x = torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(step))
    return x, (x[..., 0] + x[..., 1].relu()).roll(2, dims=1)


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


# %%
# A change is a name and a function from a set-up to a set-up. This one is our own: the matrix that
# mixes over time gets no decay, and steps U Σ^¼ Vᵀ in place of U Vᵀ. The second
# is certainly bad, so that one can see what a bad change looks like: the layer stands still.


def changes(base: SetUp) -> list[Change]:
    gentle = Change(
        "time mixed gently",
        lambda setup: setup.altered(["time.weight"], exponent=0.25, decay=0.0),
        ("time.weight",),
        why="it is nearly the identity",
    )
    return [gentle, to_adamw(base, "widen.weight", rate=0.0, name="wide layer stands still")]


torch.manual_seed(0)
found = spectrain.trial(Mixer(), loss, batch, [batch(-1), batch(-2)], changes, steps=1500)
print(found.statement)
for one in found.effects:
    print(f"{one.change.name:26}{one.effect.value:+.4f}", one.note or "adopted")
for note in found.notes:
    print(note)
print(f"{found.passes} passes, {found.share:.0%} of the run")

still = next(one for one in found.effects if one.change.name == "wide layer stands still")
assert still.effect.value > 0
assert found.share <= 0.4
assert "wide layer stands still" not in found.adopted

# %%
# Effects in the screening with their intervals: below zero is a gain. Two windows tell little of
# their scatter, so that intervals are wide; what looks like a gain is verified on fresh windows.

figure, axes = plt.subplots(figsize=(7, 1.8), layout="constrained")
for row, one in enumerate(found.effects):
    effect = one.effect
    axes.plot([effect.low, effect.high], [row, row], color="C0")
    axes.plot(effect.value, row, "o", color="C0")
axes.axvline(0, color="gray", lw=0.8)
axes.set(yticks=range(len(found.effects)), xlabel="held-out loss with the change less without")
axes.set_yticklabels([one.change.name for one in found.effects])
axes.set_ylim(-0.5, len(found.effects) - 0.5)
figure.show()

# %%
# What the trial supports can be built at once, or written as YAML by ``yaml.safe_dump``.

model = Mixer()
optimizers = found.setup.optimizers(model)
print([type(optimizer).__name__ for optimizer in optimizers])
