"""
What grows towards its limit
============================

A matrix that grows exponentially looks harmless for most of a run. Its rate tells when it will not.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

import spectrain
from spectrain.answers import stability

# %%
# Three layers learn to return what they are given. The loss of the second rewards its own norm,
# so that each step makes it 4 % larger. Its limit is ten times the median of the first quarter of
# the run, at which it arrives 59 steps after step 5.

generator = torch.Generator().manual_seed(0)
model = nn.Sequential(*(nn.Linear(24, 24, bias=False) for _ in range(3)))
for weight in model.parameters():
    nn.init.orthogonal_(weight, generator=generator)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
rate, steps = 0.4, 48

folder = Path(tempfile.mkdtemp()) / "run"
with spectrain.watch(model, optimizer, folder, every=1) as run:
    for _ in range(steps):
        x = torch.randn(64, 24, generator=generator)
        first, _, third = model
        second = model.get_parameter("1.weight")
        hidden = nn.functional.linear(first(x), second.detach())
        loss = nn.functional.mse_loss(third(hidden / second.detach().norm()), x)
        reward = rate * second.square().sum() / 2
        (loss - reward + 0 * model(x).sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(loss=loss.item())

# %%
# The finding: which block grows, and the step at which it passes its limit, with an interval.

finding = stability(spectrain.open_run(folder))
print(finding.sentence)
print(finding.action)
(growing,) = (row for row in finding.rows if row.verdict == "growing")
expected = 5 + torch.tensor(10.0).log() / torch.tensor(1 + 0.1 * rate).log()
course = growing.course
assert course is not None
assert course.passes is not None
assert course.earliest is not None
assert course.latest is not None
print(f"{growing.block} passes its limit at step {course.passes:.0f}")
assert growing.block == "1.weight"
assert abs(course.passes - expected) < 3

# %%
# The largest singular value of each layer, and where the line through the late samples leads.

weights = spectrain.open_run(folder).metrics(source="weight", measure="operator_norm")
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for (name,), rows in weights.group_by("block", maintain_order=True):
    axes.semilogy(rows["step"], rows["value"], label=name)
ahead = torch.arange(steps, int(course.passes) + 5)
axes.semilogy(ahead, course.value * (course.rate * (ahead - steps)).exp(), "k--", linewidth=1)
axes.axhline(course.limit, color="0.6", linewidth=1)
axes.axvspan(course.earliest, course.latest, color="0.9")
axes.set(xlabel="step", ylabel="largest singular value")
axes.legend()
plt.show()
