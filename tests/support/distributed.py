"""Trainings of one small model by several processes, in every mode, and what they leave behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import spectrain

PRELOADED = ["torch.distributed.fsdp", "torch.distributed.tensor.parallel", "spectrain.monitor"]
VOCABULARY, WIDTH, LENGTH, EXAMPLES = 11, 8, 4, 12


class Layer(nn.Module):
    def __init__(self, reentrant: bool | None, eager: bool = False) -> None:
        super().__init__()
        self.eager = eager
        self.norm = nn.LayerNorm(WIDTH)
        self.q_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp_norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 3 * WIDTH)
        self.down = nn.Linear(3 * WIDTH, WIDTH)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        if self.reentrant is None:
            return self.compute(x)
        return checkpoint(self.compute, x, use_reentrant=self.reentrant)

    def compute(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = self.q_proj(y), self.k_proj(y), self.v_proj(y)
        if self.eager:
            scores = (q @ k.mT / WIDTH**0.5).unsqueeze(1)  # one head
            x = x + self.o_proj(torch.softmax(scores, -1).squeeze(1) @ v)
        else:
            x = x + self.o_proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.down(self.up(self.mlp_norm(x)).relu())


class Model(nn.Module):
    """With frozen ends every gradient comes from inside the layers, as in adapter training."""

    def __init__(
        self, reentrant: bool | None = None, frozen_ends: bool = False, eager: bool = False
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList([Layer(reentrant, eager), Layer(reentrant, eager)])
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.frozen_ends = frozen_ends
        for end in (self.embedding, self.head):
            end.requires_grad_(not frozen_ends)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.frozen_ends:
            x = x.detach().requires_grad_()
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


@dataclass(frozen=True)
class Placed:
    """A model in a mode: its part of the batch, and how to hold back the exchange of gradients."""

    model: nn.Module
    part: int
    parts: int
    hold_back: Callable[[bool], Any] = lambda last: nullcontext()


def make_model(
    dtype: torch.dtype = torch.float64,
    reentrant: bool | None = None,
    frozen_ends: bool = False,
    eager: bool = False,
) -> Model:
    torch.manual_seed(3)
    return Model(reentrant, frozen_ends, eager).to(dtype)


def alone(model: nn.Module) -> Placed:
    return Placed(model, 0, 1)


def ddp(model: nn.Module, **options: Any) -> Placed:
    wrapped = DistributedDataParallel(model, **options)

    def hold_back(last: bool) -> Any:
        return nullcontext() if last else wrapped.no_sync()

    return Placed(wrapped, dist.get_rank(), dist.get_world_size(), hold_back)


def fsdp(model: nn.Module, *, hybrid: bool = False, **options: Any) -> Placed:
    size = dist.get_world_size()
    shape, names = ((2, size // 2), ("replicate", "shard")) if hybrid else ((size,), ("shard",))
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
    for layer in model.get_submodule("layers").children():
        fully_shard(layer, mesh=mesh, **options)
    sharded = fully_shard(model, mesh=mesh, **options)

    def hold_back(last: bool) -> Any:
        sharded.set_requires_gradient_sync(last)
        return nullcontext()

    return Placed(model, dist.get_rank(), size, hold_back)


def compiled_ddp(model: nn.Module) -> Placed:
    model.compile(backend="aot_eager")
    return ddp(model)


def compiled_fsdp(model: nn.Module) -> Placed:
    """Layer by layer, as the gathering between them is not compiled."""
    for layer in model.get_submodule("layers").children():
        layer.compile(backend="aot_eager")
    return fsdp(model)


def tensor_parallel(model: nn.Module, *, sharded: bool = False, sequence: bool = False) -> Placed:
    size = dist.get_world_size()
    shape = (2, size // 2) if sharded else (1, size)
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("dp", "tp"))
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    if sequence:
        plan = {
            "mlp_norm": SequenceParallel(),
            "up": ColwiseParallel(input_layouts=Shard(1)),
            "down": RowwiseParallel(),
        }
    for layer in model.get_submodule("layers").children():
        if sequence:
            cut = PrepareModuleInput(input_layouts=Replicate(), desired_input_layouts=Shard(1))
            parallelize_module(layer.get_submodule("mlp_norm"), mesh["tp"], cut)
        parallelize_module(layer, mesh["tp"], plan)
    if sharded:
        for layer in model.get_submodule("layers").children():
            fully_shard(layer, mesh=mesh["dp"])
        fully_shard(model, mesh=mesh["dp"])
        return Placed(model, mesh.get_local_rank("dp"), 2)
    return Placed(model, 0, 1)


MODES: dict[str, Callable[[nn.Module], Placed]] = {
    "alone": alone,
    "ddp": ddp,
    "ddp bucket view": lambda model: ddp(model, gradient_as_bucket_view=True),
    "ddp static graph": lambda model: ddp(model, static_graph=True),
    "fsdp2": fsdp,
    "fsdp2 unsharded between": lambda model: fsdp(model, reshard_after_forward=False),
    "fsdp2 offload": lambda model: fsdp(model, offload_policy=CPUOffloadPolicy(pin_memory=False)),
    "ddp compiled": compiled_ddp,
    "fsdp2 compiled": compiled_fsdp,
    "hsdp": lambda model: fsdp(model, hybrid=True),
    "tensor parallel": tensor_parallel,
    "fsdp2 + tensor parallel": lambda model: tensor_parallel(model, sharded=True),
}


ROUGH: dict[str, Callable[[nn.Module], Placed]] = {
    "fsdp2 mixed precision": lambda model: fsdp(
        model,
        mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32),
    ),
    "sequence parallel": lambda model: tensor_parallel(model, sequence=True),
}
"""Modes whose numbers are not those of one process in float64, or not all of them."""


@dataclass(frozen=True)
class Job:
    """One training."""

    mode: str
    folder: Path | None
    steps: int = 3
    accumulation: int = 1
    dtype: torch.dtype = torch.float64
    reentrant: bool | None = None
    frozen_ends: bool = False
    eager: bool = False
    options: tuple[tuple[str, Any], ...] = ()


def batches(job: Job, placed: Placed) -> Iterator[tuple[int, list[tuple[Tensor, Tensor]]]]:
    """For each step the microbatches of this process."""
    generator = torch.Generator().manual_seed(5)
    each = EXAMPLES // job.accumulation
    for step in range(job.steps):
        tokens = torch.randint(VOCABULARY, (EXAMPLES, LENGTH + 1), generator=generator)
        parts = [micro.chunk(placed.parts)[placed.part] for micro in tokens.split(each)]
        yield step, [(part[:, :-1], part[:, 1:]) for part in parts]


def train(job: Job) -> tuple[list[float], list[Tensor]]:
    """Train, watched if the job names a folder; returns losses and the weights that are here."""
    placed = (MODES | ROUGH)[job.mode](
        make_model(job.dtype, job.reentrant, job.frozen_ends, job.eager)
    )
    model = placed.model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    options = {"every": 1, "strict": True} | dict(job.options)
    watched = spectrain.watch(model, optimizer, job.folder, **options) if job.folder else None
    losses = []
    with watched or nullcontext():
        for _, micro in batches(job, placed):
            total = 0.0
            for place, (inputs, targets) in enumerate(micro):
                with placed.hold_back(place == len(micro) - 1):
                    logits = model(inputs).flatten(0, 1)
                    loss = F.cross_entropy(logits, targets.flatten()) / len(micro)
                    loss.backward()
                total += loss.item()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(total)
            if watched is not None:
                watched.log(loss=total, batch_size=sum(len(inputs) for inputs, _ in micro))
    return losses, [_here(p).detach().clone() for p in model.parameters()]


def _here(parameter: Tensor) -> Tensor:
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter


def run_jobs(jobs: Sequence[Job], processes: int, folder: Path) -> None:
    """Run the jobs one after the other in so many processes; results go into ``folder``."""
    call(train_all, processes, folder, (list(jobs), folder))


def train_all(jobs: Sequence[Job], folder: Path) -> None:
    for number, job in enumerate(jobs):
        torch._dynamo.reset()  # or a job would run the graphs of the one before
        torch.save(train(job), folder / f"result-{number}-rank-{dist.get_rank()}.pt")


def train_and_die(folder: Path, start: int, killed: int | None) -> None:
    """Train in DDP, six steps, from the checkpoint of ``start``; rank 1 dies in step ``killed``."""
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    if start:
        state = torch.load(folder / f"step-{start}.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    wrapped = MODES["ddp"](model).model
    generator = torch.Generator().manual_seed(5)
    watched = spectrain.watch(
        wrapped, optimizer, folder / "run", every=1, start_step=start, resume=start > 0
    )
    with watched as run:
        for step in range(6):
            tokens = torch.randint(11, (8, 5), generator=generator)
            if step < start:
                continue
            if step == killed:
                dist.barrier()  # all before it is on disk
            if step == killed and dist.get_rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            part = tokens.chunk(dist.get_world_size())[dist.get_rank()]
            loss = F.cross_entropy(wrapped(part[:, :-1]).flatten(0, 1), part[:, 1:].flatten())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            run.log(loss=loss, batch_size=len(part))
            run.flush()
            if dist.get_rank() == 0:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state, folder / f"step-{step + 1}.pt")


def result(folder: Path, number: int, rank: int) -> tuple[list[float], list[Tensor]]:
    return torch.load(folder / f"result-{number}-rank-{rank}.pt")


def call(function: Callable[..., None], processes: int, folder: Path, arguments: Any) -> None:
    """Call a function in so many processes that form a gloo group.

    They are forks of a server that has imported torch and spectrain once.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    mp.start_processes(
        _start, (processes, str(folder), function, arguments), processes, start_method="forkserver"
    )


def _start(rank: int, processes: int, folder: str, function: Any, arguments: Any) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=processes
    )
    try:
        function(*arguments)
    finally:
        dist.destroy_process_group()
