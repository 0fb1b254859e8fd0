"""A set-up: which rule steps each parameter, at which rate, as data that changes can alter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from spectrain.core import InputError, Role, Step, usual_step
from spectrain.network import Network
from spectrain.optim.spectral_momentum import SpectralMomentum


class Stepper(StrEnum):
    """What steps a parameter."""

    MUON = "muon"
    ADAMW = "adamw"


@dataclass(frozen=True, slots=True)
class Assignment:
    """How one parameter is stepped.

    Attributes:
        rule: Muon or AdamW.
        rate: factor on the learning rate of the rule.
        decay: decoupled weight decay.
        cut: equal parts along the first dimension that Muon orthogonalizes one by one.
        exponent: p of Muon's step U Σᵖ Vᵀ.
        rows_beta: β₂ of the running mean by whose root Muon's rows are divided; 0 for none.
        length: Muon's factor for the shape; ``"match_rms_adamw"`` makes its steps as long as
            AdamW's, and its rate is then AdamW's.
    """

    rule: Stepper
    rate: float = 1.0
    decay: float = 0.0
    cut: int = 1
    exponent: float = 0.0
    rows_beta: float = 0.0
    length: str = "original"

    @property
    def follows_adamw(self) -> bool:
        """Whether the rate that counts is AdamW's."""
        return self.rule is Stepper.ADAMW or self.length == "match_rms_adamw"


@dataclass(frozen=True, slots=True)
class SetUp:
    """Every trainable parameter with its rule.

    Attributes:
        assignments: by the parameter's name.
        muon_lr: learning rate of Muon.
        adamw_lr: learning rate of AdamW.
        betas: of AdamW.
        momentum: of Muon.
    """

    assignments: Mapping[str, Assignment]
    muon_lr: float = 0.02
    adamw_lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.95)
    momentum: float = 0.95

    def altered(self, names: Iterable[str], **fields: Any) -> SetUp:
        """The same set-up with some fields of some parameters replaced.

        Example:
            >>> setup = SetUp({"head.weight": Assignment(Stepper.ADAMW)})
            >>> altered = setup.altered(["head.weight"], rule=Stepper.MUON)
            >>> str(altered.assignments["head.weight"].rule)
            'muon'
        """
        changed = {name: replace(self.assignments[name], **fields) for name in names}
        return replace(self, assignments={**self.assignments, **changed})

    def faster(self, factor: float) -> SetUp:
        """The same set-up with all learning rates times a factor."""
        return replace(self, muon_lr=self.muon_lr * factor, adamw_lr=self.adamw_lr * factor)

    def optimizers(self, model: nn.Module) -> list[Optimizer]:
        """Muon and AdamW for a model, each group with its peak rate as ``"initial_lr"``.

        Raises:
            InputError: the set-up is for another model.
        """
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if missing := named.keys() ^ self.assignments.keys():
            raise InputError(
                f"set-up and model differ in {min(missing)!r}",
                remedy="make the set-up of this model: usual_setup(model)",
            )
        alike: dict[Assignment, list[nn.Parameter]] = defaultdict(list)
        for name, parameter in named.items():
            alike[self.assignments[name]].append(parameter)
        muon = [self._muon(a) | {"params": p} for a, p in alike.items() if a.rule is Stepper.MUON]
        adamw = [
            self._adamw(a) | {"params": p} for a, p in alike.items() if a.rule is Stepper.ADAMW
        ]
        made: list[Optimizer] = []
        if muon:
            made.append(SpectralMomentum(muon, momentum=self.momentum))
        if adamw:
            made.append(AdamW(adamw, betas=self.betas))
        return made

    def _muon(self, assignment: Assignment) -> dict[str, Any]:
        base = self.adamw_lr if assignment.follows_adamw else self.muon_lr
        rate = base * assignment.rate
        return {
            "lr": rate,
            "initial_lr": rate,
            "weight_decay": assignment.decay,
            "cut": assignment.cut,
            "exponent": assignment.exponent,
            "rows_beta": assignment.rows_beta,
            "adjust_lr_fn": assignment.length,
        }

    def _adamw(self, assignment: Assignment) -> dict[str, Any]:
        rate = self.adamw_lr * assignment.rate
        return {"lr": rate, "initial_lr": rate, "weight_decay": assignment.decay}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for YAML or JSON."""
        return {
            "muon_lr": self.muon_lr,
            "adamw_lr": self.adamw_lr,
            "betas": list(self.betas),
            "momentum": self.momentum,
            "parameters": {
                name: {
                    "rule": str(one.rule),
                    "rate": one.rate,
                    "decay": one.decay,
                    "cut": one.cut,
                    "exponent": one.exponent,
                    "rows_beta": one.rows_beta,
                    "length": one.length,
                }
                for name, one in self.assignments.items()
            },
        }


def usual_setup(
    model: nn.Module,
    network: Network,
    *,
    muon_lr: float = 0.02,
    adamw_lr: float = 3e-3,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
    momentum: float = 0.95,
) -> SetUp:
    """Common practice: Muon for hidden matrices, AdamW for embeddings, heads, vectors and the rest.

    A parameter goes to Muon where all its blocks have a role that common practice gives it. Vectors
    do not decay.

    Args:
        model: whose parameters are assigned.
        network: its blocks.
        muon_lr: learning rate of Muon.
        adamw_lr: learning rate of AdamW.
        weight_decay: decoupled, of matrices.
        betas: of AdamW.
        momentum: of Muon.

    Source:
        Jordan et al. 2024 (Muon).

    Example:
        >>> from spectrain.network import find_blocks
        >>> model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        >>> setup = usual_setup(model, find_blocks(model))
        >>> [str(one.rule) for one in setup.assignments.values()]
        ['adamw', 'muon', 'adamw', 'muon', 'adamw']
    """
    roles: dict[str, set[Role]] = defaultdict(set)
    for block in network.blocks:
        roles[block.parameter].add(block.role)
    assignments = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        steps = {usual_step(role) for role in roles.get(name, ())}
        hidden = steps == {Step.SPECTRAL} and parameter.ndim >= 2
        decay = weight_decay if parameter.ndim >= 2 else 0.0
        stacked = {b.view.index for b in network.blocks if b.parameter == name} - {None}
        assignments[name] = Assignment(
            Stepper.MUON if hidden else Stepper.ADAMW,
            decay=decay,
            cut=parameter.shape[0] if hidden and stacked else 1,
        )
    return SetUp(assignments, muon_lr, adamw_lr, betas, momentum)
