"""
Two processes, one run
======================

Every process of a distributed training calls ``spectrain.watch`` on the same folder. What they
record reads as one run, equals what one process would have recorded of the same batches, and it
knows more of the noise, for every microbatch of every rank is a replica of the gradient.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

import spectrain
from spectrain.records import Run

# %%
# The training: DDP over the processes, each of which sees its share of every batch.

script = """
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import spectrain

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
layers = nn.Linear(32, 64, bias=False), nn.ReLU(), nn.Linear(64, 8, bias=False)
model = DistributedDataParallel(nn.Sequential(*layers).double())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = torch.Generator().manual_seed(1)
teacher = torch.randn(32, 8, generator=data).double() / 32**0.5

with spectrain.watch(model, optimizer, sys.argv[1], every=2) as run:
    for _ in range(60):
        x = torch.randn(256, 32, generator=data).double()
        y = x @ teacher + 0.5 * torch.randn(256, 8, generator=data).double()
        with model.no_sync():  # two microbatches
            first = slice(rank, None, 2 * size)
            (nn.functional.mse_loss(model(x[first]), y[first]) / 2).backward()
        second = slice(size + rank, None, 2 * size)
        loss = nn.functional.mse_loss(model(x[second]), y[second]) / 2
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(loss=2 * loss, batch_size=len(x) // size)

dist.destroy_process_group()
"""

# %%
# It is started by ``torchrun`` with one process, and with two.

folder = Path(tempfile.mkdtemp())
(folder / "train.py").write_text(script)


def trained(processes: int) -> Run:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    out = folder / f"{processes} processes"
    subprocess.run([sys.executable, *launcher, folder / "train.py", out], check=True)
    return spectrain.open_run(out)


alone, together = trained(1), trained(2)

# %%
# Spectra of weights, gradients and updates agree to rounding.

key = ["step", "block", "source", "measure"]
spectral = pl.col("source").is_in(["weight", "gradient", "update"])
pairs = alone.metrics().filter(spectral).join(together.metrics().filter(spectral), on=key)
difference = pairs.select((pl.col("value_right") / pl.col("value") - 1).abs().max()).item()
print(f"{len(pairs)} numbers, largest relative difference {difference:.0e}")
assert len(pairs) == len(alone.metrics().filter(spectral)) > 1000
assert difference < 1e-6

# %%
# Each block has one owner, who does its spectral work; both ranks' rows read as one table.

owners = together.metrics(source="gradient").group_by("block", "rank").len("rows").sort("block")
print(owners)
assert owners["rank"].n_unique() == 2

# %%
# The noise scale of a block is the batch size at which noise and signal of its gradient are equal.
# It has a standard error from three replicas on: one process has its two microbatches, which is too
# few, two ranks have four.

columns = ["step", "block", "value", "error", "count", "reason"]
few, noise = (
    run.metrics(source="noise", measure="noise_scale").drop_nulls("block").select(columns)
    for run in (alone, together)
)
print(few.tail(2), noise.tail(2))
assert few["value"].is_null().all()
assert noise["value"].count() > 20

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
for block, color in (("0.weight", "#3f4fb5"), ("2.weight", "#b5651d")):
    one, two = (
        run.metrics(source="gradient", measure="nuclear_rank", block=block)
        for run in (alone, together)
    )
    left.plot(one["step"], one["value"], color=color, label=f"{block}, one process")
    left.plot(two["step"], two["value"], ".", color=color, label=f"{block}, two processes")
    rows = noise.filter(block=block).drop_nulls("value")
    right.errorbar(rows["step"], rows["value"], rows["error"], fmt=".-", color=color, label=block)
left.set(xlabel="step", ylabel="nuclear rank of the gradient", ylim=(0, None))
left.legend(frameon=False, fontsize=8)
right.set(xlabel="step", ylabel="noise scale in examples", ylim=(0, None))
right.legend(frameon=False, loc="lower right")
figure.show()
