"""FSDP2: torchrun --standalone --nproc-per-node 2 examples/fsdp2.py [FOLDER]."""

import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard

import spectrain

folder = sys.argv[1] if len(sys.argv) > 1 else "runs/fsdp2"
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank = dist.get_rank()
device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16)).to(device)
mesh = dist.init_device_mesh(device.type, (dist.get_world_size(),))
for layer in (model[0], model[2], model):
    fully_shard(layer, mesh=mesh)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
torch.manual_seed(1 + rank)

with spectrain.watch(model, optimizer, folder) as run:  # after fully_shard
    for _ in range(20):
        inputs = torch.randn(32, 16, device=device)
        loss = nn.functional.mse_loss(model(inputs), inputs.flip(1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.log(loss=loss, batch_size=len(inputs))

dist.barrier()
if rank == 0:
    found = spectrain.open_run(folder)
    print(found.metrics(source="weight", measure="stable_rank"))
    print(f"{found.summary['traffic_bytes']} bytes sent by this process")
dist.destroy_process_group()
