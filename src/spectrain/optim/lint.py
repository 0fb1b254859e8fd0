"""The routing linter: whether every parameter goes where it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn
from torch.optim import Optimizer

from spectrain.core import Block, Role
from spectrain.network import find_blocks
from spectrain.network.wrapping import own_parameters
from spectrain.optim.rules import Rule, resolve


@dataclass(frozen=True, slots=True)
class Complaint:
    """One routing mistake.

    Attributes:
        rule: name of the rule that was broken.
        parameter: the parameter (or the filter) it concerns.
        problem: what is wrong.
        remedy: what to do.
    """

    rule: str
    parameter: str
    problem: str
    remedy: str


def lint(
    model: nn.Module, optimizers: Optimizer | Sequence[Optimizer], *, filters: Iterable[str] = ()
) -> list[Complaint]:
    """Check optimizers against the model, parameter by parameter, by identity.

    Rules: ``ungrouped`` (trainable, in no group), ``twice`` (in two groups), ``foreign`` (in a
    group, not in the model), ``tied`` / ``head`` / ``embedding`` / ``vector`` / ``fused`` (q, k and
    v in one matrix) on an optimizer that orthogonalizes, ``filter`` (a name filter that matches no
    parameter). :func:`spectrain.optim.rules.resolve` decides whether a parameter's step is
    orthogonalized.

    Args:
        model: the model, wrapped or not: names are those of the bare model.
        optimizers: all its optimizers.
        filters: name patterns (shell wildcards, or substrings) by which parameters were routed.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        >>> complaints = lint(model, torch.optim.SGD(model[0].parameters()))
        >>> [(complaint.rule, complaint.parameter) for complaint in complaints]
        [('ungrouped', '1.weight'), ('ungrouped', '1.bias')]
    """
    every = [optimizers] if isinstance(optimizers, Optimizer) else list(optimizers)
    parameters = own_parameters(model)
    holders, foreign = _holders(every, parameters)
    blocks: dict[str, list[Block]] = defaultdict(list)
    for block in find_blocks(model).blocks:
        blocks[block.parameter].append(block)
    complaints = foreign
    for name, parameter in parameters.items():
        held = holders.get(id(parameter), [])
        if not held and parameter.requires_grad:
            complaints.append(
                Complaint("ungrouped", name, "no optimizer updates it", "add it to a group")
            )
        if len(held) > 1:
            complaints.append(
                Complaint("twice", name, f"it is in {len(held)} groups", "keep it in one")
            )
        spectral = [rule for rule in held if rule.orthogonalizes(tuple(parameter.shape))]
        if spectral:
            complaints += _on_spectral(name, parameter, blocks[name], spectral[0])
    names = {*parameters, *(name for name, _ in model.named_parameters())}
    complaints += [
        Complaint("filter", text, "the name filter matches no parameter", "compare full names")
        for text in filters
        if not any(text in name or fnmatchcase(name, text) for name in names)
    ]
    return complaints


def _holders(
    optimizers: Sequence[Optimizer], parameters: Mapping[str, nn.Parameter]
) -> tuple[dict[int, list[Rule]], list[Complaint]]:
    """The rules of the groups that hold each parameter, and what is not the model's."""
    own = {id(parameter) for parameter in parameters.values()}
    holders: dict[int, list[Rule]] = defaultdict(list)
    foreign = []
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                holders[id(parameter)].append(resolve(optimizer, group, parameter))
                if id(parameter) not in own:
                    foreign.append(
                        Complaint(
                            "foreign",
                            f"a tensor of shape {tuple(parameter.shape)}",
                            f"{type(optimizer).__name__} updates it, but the model does not hold "
                            "it",
                            "build the optimizer after the model's last change (moving, wrapping)",
                        )
                    )
    return holders, foreign


def _on_spectral(
    name: str, parameter: nn.Parameter, blocks: Sequence[Block], rule: Rule
) -> list[Complaint]:
    to_adamw = "give it to AdamW"
    if parameter.ndim < 2:
        return [Complaint("vector", name, "a vector has no polar factor", to_adamw)]
    if not blocks:
        return []
    block = blocks[0]
    if block.aliases and block.role in (Role.EMBEDDING, Role.HEAD):
        other = ", ".join(block.aliases)
        problem = f"it is tied to {other}: rows are tokens, and frequent ones drown the others"
        return [Complaint("tied", name, problem, to_adamw)]
    if block.role is Role.HEAD:
        problem = "the head is 2-D too, but its rows are tokens"
        return [Complaint("head", name, problem, f"{to_adamw}, or measure first")]
    if block.role is Role.EMBEDDING:
        return [Complaint("embedding", name, "an embedding is a table, not a map", to_adamw)]
    if fused(blocks) and rule.parts(tuple(parameter.shape)) < len(blocks):
        problem = f"its {len(blocks)} blocks are orthogonalized as one matrix"
        remedy = "split the parameter, or take an optimizer that orthogonalizes its parts"
        return [Complaint("fused", name, problem, remedy)]
    return []


def fused(blocks: Sequence[Block]) -> bool:
    """Whether blocks are the q, k and v (or two of them) of one attention, in one matrix.

    Example:
        >>> import torch
        >>> attention = torch.nn.MultiheadAttention(8, 2, bias=False)
        >>> fused([b for b in find_blocks(attention).blocks if b.parameter == "in_proj_weight"])
        True
    """
    return len({block.role for block in blocks} & _PROJECTIONS) > 1


_PROJECTIONS = {Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V}
