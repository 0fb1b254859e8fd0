"""The mixed step: spectral on a chosen set of blocks, Euclidean elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod

from torch import nn

from spectrain.core import Block, InputError, Plan, Step
from spectrain.network.wrapping import own_parameters
from spectrain.optim.build import planned_blocks
from spectrain.optim.spectral_descent import Factor, SpecGD


def mixed_step(
    model: nn.Module,
    plan: Plan,
    *,
    spectral_lr: float,
    euclidean_lr: float,
    factor: Factor = "exact",
) -> SpecGD:
    """SpecGD that takes spectral steps where a plan wants them and Euclidean ones elsewhere.

    W ← W − η_S‖G‖_*·polar(G) on the chosen set and W ← W − η_E·G on the rest; a norm gain takes
    γ ← γ − η_S‖g‖₁·sign(g). Blocks that are equal parts of their parameter's first dimension (fused
    projections, heads, experts) are each orthogonalized separately.

    Args:
        model: the model that the plan was made for.
        plan: block name to step; blocks that it does not name are Euclidean.
        spectral_lr: η_S, naturally 1/a_Spec.
        euclidean_lr: η_E, naturally 1/a_GD.
        factor: how polar factors are computed.

    Raises:
        InputError: the plan names a block that the model does not have, wants both steps in one
            parameter, or blocks that are not all its equal parts along the first dimension.

    Source:
        Davis & Drusvyatskiy, §4.4 (4.13)–(4.15) and §4.5.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        >>> plan = Plan({"0.weight": Step.SPECTRAL})
        >>> optimizer = mixed_step(model, plan, spectral_lr=0.1, euclidean_lr=0.5)
        >>> [(group["step"], len(group["params"])) for group in optimizer.param_groups]
        [('spectral', 1), ('euclidean', 3)]
    """
    parameters = own_parameters(model)
    cuts: dict[int, list[str]] = defaultdict(list)
    for name, blocks in planned_blocks(model, plan).items():
        wanted = {plan[block.name] for block in blocks}
        if Step.SPECTRAL in wanted:
            if len(wanted) > 1 or not _fits(blocks, parameters[name].numel()):
                raise InputError(
                    f"the plan's blocks of {name} differ in step, or are not equal parts of it",
                    remedy="give all blocks of a parameter the same step, or plan for it whole",
                )
            cuts[len(blocks)].append(name)
    chosen = {name for names in cuts.values() for name in names}
    rest = [p for name, p in parameters.items() if name not in chosen and p.requires_grad]
    groups = [
        {"params": [parameters[name] for name in names], "cut": cut} for cut, names in cuts.items()
    ]
    if rest:
        groups.append({"params": rest, "step": str(Step.EUCLIDEAN), "lr": euclidean_lr})
    return SpecGD(groups, lr=spectral_lr, factor=factor)


def _fits(blocks: Sequence[Block], entries: int) -> bool:
    """Whether blocks are a whole parameter, or all its equal parts along the first dimension."""
    sizes = [prod(b.shape[:1] if b.view.diagonal else b.shape) for b in blocks]
    if sum(sizes) != entries:
        return False
    views = [block.view for block in blocks]
    return len(blocks) == 1 or (
        len(set(sizes)) == 1
        and all(v.index is not None or (len(v.rows) == 1 and not v.transpose) for v in views)
        and not any(v.columns for v in views)
    )
