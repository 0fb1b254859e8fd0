"""How a model is spread over processes: read from the model itself, or refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor

from spectrain.core import Block, InputError
from spectrain.monitor.distributed.spread import Spread

REFUSED = {
    "FullyShardedDataParallel": "use torch.distributed.fsdp.fully_shard (FSDP2)",
    "DataParallel": "use DistributedDataParallel",
}
"""Wrappers whose parameters cannot be read, with the way out."""


def hold_spread(
    model: nn.Module, parameters: Mapping[str, nn.Parameter], blocks: Sequence[Block]
) -> Spread:
    """The holdings of this process; a collective call."""
    data_parallel, contributes = _data_parallel(model, parameters.values())
    return Spread(parameters, blocks, data_parallel=data_parallel, contributes=contributes)


def is_spread(model: nn.Module, parameters: Iterable[nn.Parameter], asked: bool | None) -> bool:
    """Whether the processes train one model together.

    Raises:
        InputError: that cannot be determined, or the model is wrapped in a way that is not
            supported.
    """
    for module in model.modules():
        kind = type(module).__name__
        if kind in REFUSED and type(module).__module__.startswith("torch."):
            raise InputError(f"{kind} is not supported", remedy=REFUSED[kind])
    processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    sharded = any(isinstance(parameter, DTensor) for parameter in parameters)
    if processes == 1 and not sharded:
        return False
    replicated = type(model).__name__ == "DistributedDataParallel" or any(
        type(module).__name__ == "DistributedDataParallel" for module in model.modules()
    )
    if replicated and sharded:
        raise InputError(
            "DistributedDataParallel around DTensor parameters is not supported",
            remedy="replicate with fully_shard on a mesh of two dimensions (HSDP)",
        )
    if sharded or replicated or asked:
        return True
    if asked is None:
        raise InputError(
            f"{processes} processes, but the model is neither wrapped nor sharded",
            remedy="pass data_parallel=True if they train one model together, or False and a "
            "folder of its own for each process",
        )
    return False


def _data_parallel(model: nn.Module, parameters: Iterable[nn.Parameter]) -> tuple[int, bool]:
    """Number of processes with different data, and whether this one is the first with its data.

    FSDP2 takes the first dimension of the mesh, and the second too where the first replicates
    (HSDP); what is left is tensor parallelism, whose processes see the same data. DTensors without
    FSDP2 are all tensor parallelism.
    """
    sharded = [p for p in parameters if isinstance(p, DTensor)]
    if not sharded:
        return dist.get_world_size(), True
    widest = max(sharded, key=lambda p: p.device_mesh.ndim)
    mesh = widest.device_mesh
    number = 0
    if any(kind.__name__ == "FSDPModule" for m in model.modules() for kind in type(m).__mro__):
        same = [p for p in sharded if p.device_mesh.ndim == mesh.ndim]
        hybrid = mesh.ndim > 1 and all(p.placements[0].is_replicate() for p in same)
        number = 2 if hybrid else 1
    data_parallel = 1
    for axis in range(number):
        data_parallel *= mesh.size(axis)
    coordinate = list(mesh.get_coordinate() or ())
    return data_parallel, all(place == 0 for place in coordinate[number:])
