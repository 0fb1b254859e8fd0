"""DDP: torchrun --standalone --nproc-per-node 2 examples/ddp.py [FOLDER]."""

import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import spectrain

folder = sys.argv[1] if len(sys.argv) > 1 else "runs/ddp"
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank = dist.get_rank()
device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16)).to(device)
model = DistributedDataParallel(net)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
torch.manual_seed(1 + rank)  # every process has data of its own

with spectrain.watch(model, optimizer, folder) as run:  # on every rank, the same folder
    for _ in range(20):
        inputs = torch.randn(32, 16, device=device)
        loss = nn.functional.mse_loss(model(inputs), inputs.flip(1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(loss=loss, batch_size=len(inputs))

dist.barrier()
if rank == 0:
    print(spectrain.open_run(folder).metrics(source="noise", measure="noise_scale"))
dist.destroy_process_group()
