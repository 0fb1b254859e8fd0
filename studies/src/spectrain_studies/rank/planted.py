"""Worlds in which the truth of a claim on losses is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from spectrain_studies.frame import (
    Below,
    Criterion,
    Negative,
    OnEvery,
    Planted,
    Positive,
    Results,
)
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import ArmCase

GAP, NOISE = 0.1, 0.02
"""Nats between two arms, and the spread of their difference over seeds."""


def planted_losses(criterion: Criterion, arm: str, base: str) -> Planted | None:
    """An arm that ends above or below its base, as a one-sided criterion wants it or not."""
    match criterion:
        case OnEvery(_, Negative()):
            limit, sign = 0.0, -1.0
        case OnEvery(_, Positive()):
            limit, sign = 0.0, 1.0
        case OnEvery(_, Below(high=limit)):
            sign = -1.0
        case _:
            return None
    return Planted(_world(arm, base, limit + sign * GAP), _world(arm, base, limit - sign * GAP))


def _world(
    arm: str, base: str, difference: float
) -> Callable[[Any, torch.Generator], list[Results]]:
    def made(config: RankConfig, generator: torch.Generator) -> list[Results]:
        def outcome(case: ArmCase) -> dict[str, Any]:
            noise = torch.randn(case.training.seeds, generator=generator).double()
            level = 1.0 + (difference if case.arm == arm else 0.0)
            return {"held_out": (level + NOISE * noise)[None].numpy(), "size": 1.0, "edge": False}

        cases = [
            ArmCase(task, name, config.training_of(task), config.interventions)
            for task in config.tasks()
            for name in (arm, base)
        ]
        return [Results.made(cases, outcome)]

    return made
