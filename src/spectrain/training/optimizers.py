"""The optimizers of the recipe: every choice is a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from torch.optim import Optimizer

from spectrain.core import Plan, Step, usual_step
from spectrain.network import find_blocks
from spectrain.optim import build
from spectrain.training.gpt import GPT

BETAS = (0.9, 0.95)


def usual_plan(model: GPT, kind: Literal["adamw", "muon"]) -> Plan:
    """AdamW for all parameters, or Muon for the matrices inside the blocks and AdamW for the rest.

    Example:
        >>> from spectrain.training.gpt import preset
        >>> plan = usual_plan(GPT(preset("modern", vocabulary=20, layers=1)), "muon")
        >>> [name for name in plan][:2]
        ['blocks.0.attention.query.weight', 'blocks.0.attention.key.weight']
    """
    if kind == "adamw":
        return Plan({})
    return Plan(
        {
            block.name: Step.SPECTRAL
            for block in find_blocks(model).blocks
            if usual_step(block.role) is Step.SPECTRAL
        }
    )


def make_optimizers(
    model: GPT,
    plan: Plan,
    *,
    learning_rate: float,
    muon_learning_rate: float,
    weight_decay: float,
) -> list[Optimizer]:
    """Muon and AdamW as the plan says. Each group keeps its peak rate as ``"initial_lr"``.

    Args:
        model: whose parameters are trained.
        plan: which blocks take Muon.
        learning_rate: peak of AdamW's learning rate.
        muon_learning_rate: peak of Muon's learning rate (Jordan et al. 2024); a matrix with more
            rows than columns takes √(rows/columns) times that.
        weight_decay: decoupled decay of matrices.

    Raises:
        InputError: the plan is for another model.
    """
    built = build(
        model,
        plan,
        muon_lr=muon_learning_rate,
        adamw_lr=learning_rate,
        weight_decay=weight_decay,
        betas=BETAS,
    )
    for optimizer in built.optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return list(built.optimizers)


def set_learning_rates(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Set every group to a share of its peak learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
