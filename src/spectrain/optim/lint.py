"""The routing linter: whether every parameter goes where it should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn
from torch.optim import Optimizer

from spectrain.core import Block, Role
from spectrain.network import find_blocks
from spectrain.optim.rules import resolve


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
    group, not in the model), ``tied`` / ``head`` / ``embedding`` / ``vector`` on a spectral
    optimizer, ``filter`` (a name filter that matches no parameter). A spectral optimizer is one
    whose class, or a group's flag ``use_muon``, says so.

    Args:
        model: the model.
        optimizers: all its optimizers.
        filters: name patterns (shell wildcards, or substrings) by which parameters were routed.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        >>> found = lint(model, torch.optim.SGD(model[0].parameters()))
        >>> [(complaint.rule, complaint.parameter) for complaint in found]
        [('ungrouped', '1.weight'), ('ungrouped', '1.bias')]
    """
    every = [optimizers] if isinstance(optimizers, Optimizer) else list(optimizers)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [(optimizer, group) for optimizer in every for group in optimizer.param_groups]
    holders: dict[int, list[bool]] = {}
    complaints = []
    for optimizer, group in groups:
        for parameter in group["params"]:
            rule = resolve(optimizer, group, parameter)
            spectral = rule.orthogonalizes(tuple(parameter.shape))
            holders.setdefault(id(parameter), []).append(spectral)
            if id(parameter) not in names:
                complaints.append(
                    Complaint(
                        "foreign",
                        f"a tensor of shape {tuple(parameter.shape)}",
                        f"{type(optimizer).__name__} updates it, but the model does not hold it",
                        "build the optimizer after the model's last change (moving, wrapping)",
                    )
                )
    for name, parameter in model.named_parameters():
        held = holders.get(id(parameter), [])
        if not held and parameter.requires_grad:
            complaints.append(
                Complaint("ungrouped", name, "no optimizer updates it", "add it to a group")
            )
        if len(held) > 1:
            complaints.append(
                Complaint("twice", name, f"it is in {len(held)} groups", "keep it in one")
            )
    blocks = {block.parameter: block for block in find_blocks(model).blocks}
    for name, parameter in model.named_parameters():
        if any(holders.get(id(parameter), [])):
            complaints += _on_spectral(name, parameter, blocks.get(name))
    complaints += [
        Complaint("filter", text, "the name filter matches no parameter", "compare full names")
        for text in filters
        if not any(text in name or fnmatchcase(name, text) for name in names.values())
    ]
    return complaints


def _on_spectral(name: str, parameter: nn.Parameter, block: Block | None) -> list[Complaint]:
    to_adamw = "give it to AdamW"
    if parameter.ndim < 2:
        return [Complaint("vector", name, "a vector has no polar factor", to_adamw)]
    if block is None:
        return []
    if block.aliases and block.role in (Role.EMBEDDING, Role.HEAD):
        other = ", ".join(block.aliases)
        problem = f"it is tied to {other}: rows are tokens, and frequent ones drown the others"
        return [Complaint("tied", name, problem, to_adamw)]
    if block.role is Role.HEAD:
        problem = "the head is 2-D too, but its rows are tokens"
        return [Complaint("head", name, problem, f"{to_adamw}, or measure first")]
    if block.role is Role.EMBEDDING:
        return [Complaint("embedding", name, "an embedding is a table, not a map", to_adamw)]
    return []
