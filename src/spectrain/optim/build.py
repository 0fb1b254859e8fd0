"""From a plan to optimizers: torch's Muon for spectral blocks, AdamW for all the rest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from spectrain.core import Block, InputError, Plan, Step
from spectrain.network import find_blocks
from spectrain.network.wrapping import own_parameters


@dataclass(frozen=True, slots=True)
class Built:
    """The optimizers of a plan.

    Attributes:
        optimizers: Muon, if any block takes it, and AdamW, if any parameter is left.
        notes: where a parameter could not follow the plan, and why.
    """

    optimizers: tuple[Optimizer, ...]
    notes: tuple[str, ...]


def build(
    model: nn.Module,
    plan: Plan,
    *,
    muon_lr: float = 0.02,
    adamw_lr: float = 3e-4,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
) -> Built:
    """torch.optim.Muon and AdamW with every trainable parameter in exactly one group.

    A parameter goes to Muon where the plan wants a spectral step for all its blocks. Muon's step is
    one matrix: it cannot take the parts of a fused projection apart, nor tensors that are not 2-D;
    both are said in the notes. Vectors do not decay.

    Args:
        model: the model that the plan was made for, wrapped (``torch.compile``, DDP, FSDP2,
            activation checkpointing) or not: names are those of the bare model.
        plan: block name to step; blocks that it does not name are Euclidean.
        muon_lr: learning rate of Muon.
        adamw_lr: learning rate of AdamW.
        weight_decay: decoupled decay of matrices.
        betas: of AdamW.

    Raises:
        InputError: the plan names a block that the model does not have.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        >>> built = build(model, Plan({"0.weight": Step.SPECTRAL}))
        >>> [type(optimizer).__name__ for optimizer in built.optimizers]
        ['Muon', 'AdamW']
    """
    parameters = own_parameters(model)
    spectral, notes = [], []
    for name, blocks in planned_blocks(model, plan).items():
        wanted = {plan[block.name] for block in blocks}
        if Step.SPECTRAL not in wanted:
            continue
        if len(wanted) > 1:
            notes.append(f"{name}: its blocks differ in their steps, so AdamW takes it whole")
        elif parameters[name].ndim != 2:
            notes.append(f"{name}: torch.optim.Muon takes 2-D parameters only, so AdamW takes it")
        else:
            spectral.append(name)
            if len(blocks) > 1:
                notes.append(f"{name}: Muon orthogonalizes its {len(blocks)} blocks as one matrix")
    return Built(
        tuple(_optimizers(parameters, spectral, muon_lr, adamw_lr, weight_decay, betas)),
        tuple(notes),
    )


def planned_blocks(model: nn.Module, plan: Plan) -> dict[str, list[Block]]:
    """The blocks that a plan names, by parameter.

    Raises:
        InputError: the plan names a block that the model does not have.
    """
    whole = find_blocks(model)
    split = find_blocks(model, heads=True)
    by_parameter: dict[str, list[Block]] = defaultdict(list)
    known = {block.name: block for network in (whole, split) for block in network.blocks}
    unknown = [name for name in plan if name not in known]
    if unknown:
        raise InputError(
            f"the plan names {unknown[0]!r}, which the model does not have",
            remedy="make the plan from a run of this model, or see spectrain.find_blocks(model)",
        )
    for name in plan:
        by_parameter[known[name].parameter].append(known[name])
    return by_parameter


def _optimizers(
    parameters: dict[str, nn.Parameter],
    spectral: list[str],
    muon_lr: float,
    adamw_lr: float,
    weight_decay: float,
    betas: tuple[float, float],
) -> list[Optimizer]:
    chosen = set(spectral)
    rest = [p for name, p in parameters.items() if name not in chosen and p.requires_grad]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = []
    if spectral:
        taken = [parameters[name] for name in spectral]
        optimizers.append(Muon(taken, lr=muon_lr, weight_decay=weight_decay))
    if rest:
        optimizers.append(AdamW([g for g in groups if g["params"]], lr=adamw_lr, betas=betas))
    return optimizers
