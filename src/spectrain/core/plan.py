"""A plan: which step each block of a network is to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from spectrain.core.block import Role
from spectrain.core.errors import InputError

VERSION = 1


class Step(StrEnum):
    """The geometry of an update: of the operator norm (Muon, SpecGD) or of the Euclidean one."""

    SPECTRAL = "spectral"
    EUCLIDEAN = "euclidean"


def usual_step(role: Role) -> Step:
    """What common practice gives a block: Muon for hidden matrices, AdamW for all else.

    Hidden matrices are those that are known to map features to features. Routers, the parts of
    recurrent layers and of adapters, and what is not understood (``other``) go to AdamW.

    Source:
        Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": scalar and
        vector parameters, embeddings and heads go to AdamW.

    Example:
        >>> [str(usual_step(role)) for role in (Role.MLP_IN, Role.EMBEDDING, Role.HEAD, Role.OTHER)]
        ['spectral', 'euclidean', 'euclidean', 'euclidean']
    """
    hidden = role.kind in _HIDDEN_KINDS or role in _HIDDEN
    return Step.SPECTRAL if hidden else Step.EUCLIDEAN


_HIDDEN_KINDS = frozenset({"attention", "mlp", "expert"})
_HIDDEN = frozenset({Role.HIDDEN, Role.CONV, Role.SSM_IN, Role.SSM_OUT})


@dataclass(frozen=True, slots=True)
class Plan(Mapping[str, Step]):
    """Block name to step, with the evidence for it.

    Attributes:
        steps: the step of every planned block.
        evidence: per block whatever should be kept beside it, such as margin and interval.

    Example:
        >>> plan = Plan({"head.weight": Step.EUCLIDEAN})
        >>> Plan.from_dict(plan.to_dict()) == plan
        True
    """

    steps: Mapping[str, Step]
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, block: str) -> Step:
        return self.steps[block]

    def __iter__(self) -> Iterator[str]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for YAML or JSON; :meth:`from_dict` is its inverse."""
        return {
            "spectrain_plan": VERSION,
            "blocks": {
                name: {"step": str(step), **self.evidence.get(name, {})}
                for name, step in self.steps.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Any) -> Plan:
        """Read a plan that was written, or written by hand.

        Raises:
            InputError: the data is not a plan, of another version, or names an unknown step.
        """
        if not isinstance(data, Mapping) or data.get("spectrain_plan") != VERSION:
            raise InputError(
                "this is no spectrain plan",
                remedy=f"it starts with 'spectrain_plan: {VERSION}'; see `spectrain advise --plan`",
            )
        blocks = data.get("blocks")
        if not isinstance(blocks, Mapping):
            raise InputError(
                "the plan has no table 'blocks'", remedy="add 'name: {step: spectral}'"
            )
        steps, evidence = {}, {}
        for name, entry in blocks.items():
            fields = dict(entry) if isinstance(entry, Mapping) else {"step": entry}
            step = fields.pop("step", None)
            if step not in tuple(Step):
                raise InputError(
                    f"the plan gives {name!r} the step {step!r}",
                    remedy=f"choose among {', '.join(Step)}",
                )
            steps[str(name)] = Step(step)
            if fields:
                evidence[str(name)] = fields
        return cls(steps, evidence)
