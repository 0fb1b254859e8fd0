"""
What a checkpoint says of itself
================================

``spectrain inspect`` reads the matrices of a checkpoint one at a time, without the model's code.
Here a small file stands for a model of eight layers: most matrices have learned a few directions,
one is still as it was drawn, one is far too large, and one holds a number that is none.
"""

# %%
# A checkpoint
# ------------
# The first MLP matrix of every layer is random noise and a part of rank four that grows with the
# layer.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import torch
from safetensors.torch import save_file

from spectrain.answers import randomness
from spectrain.checkpoint import inspect_checkpoints, odd_blocks, open_checkpoint
from spectrain.report import health_frame

generator = torch.Generator().manual_seed(0)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


tensors = {}
for layer in range(8):
    noise = draw(256, 96) / 16
    learned = draw(256, 4) @ draw(4, 96) * layer / 50
    tensors[f"layers.{layer}.mlp.up_proj.weight"] = noise + learned
    tensors[f"layers.{layer}.mlp.down_proj.weight"] = draw(96, 256) / 16
tensors["layers.2.mlp.down_proj.weight"] *= 20
tensors["layers.4.mlp.down_proj.weight"][3, 5] = torch.nan

folder = TemporaryDirectory()
path = Path(folder.name) / "model.safetensors"
save_file(tensors, path)

# %%
# Its inspection
# --------------
# The records are those of a run, so that everything that reads runs reads them. A matrix that holds
# NaN is a row with a reason, and the inspection says that its answer is incomplete.

inspection = inspect_checkpoints([open_checkpoint(path)], Path(folder.name) / "run")
for lacking in inspection.incomplete:
    print(f"{lacking.parameter}: {lacking.reason}")
assert [lacking.parameter for lacking in inspection.incomplete] == ["layers.4.mlp.down_proj.weight"]

# %%
# Blocks far from the others of their role are named: the one that is too large, and the one that
# has learned nothing.

finding = randomness(inspection.run)
frame = health_frame(inspection.run, [finding])
odd = odd_blocks(frame)
print(odd)
assert set(odd["block"]) == {"layers.2.mlp.down_proj.weight", "layers.0.mlp.up_proj.weight"}

# %%
# How much of it is random
# ------------------------
# Four directions were planted in every layer but the first: four eigenvalues stand significantly
# above the random bulk. The stable rank falls as they grow.

print(finding.statement)
up = frame.filter(frame["block"].str.contains("up_proj"))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(up["depth"], up["spikes"], "o-")
left.set(xlabel="layer", ylabel="eigenvalues above the bulk")
right.plot(up["depth"], up["stable_rank"], "o-")
right.set(xlabel="layer", ylabel="stable rank", yscale="log")
plt.show()

assert up["spikes"].to_list() == [0, 4, 4, 4, 4, 4, 4, 4]
folder.cleanup()
