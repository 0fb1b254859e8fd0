"""RAdam: Adam that starts with plain momentum until its second moment is worth dividing by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.adam import Adam
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Response


@RULES.register(torch.optim.RAdam)
class RAdam(Adam):
    """r_t·m̂/(√v̂ + ε), with r_t → 1 over a few times 1/(1−β₂) steps; m̂ before r_t is defined."""

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        divided = super().direction(state)
        if divided is None:
            return None
        beta2, step = float(self.settings["betas"][1]), float(state["step"])
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        return divided if length > 5 else state["exp_avg"].double()

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """As Adam's; the energy, which follows r_t², is measured."""
        adam = super().noise(shape, variance)
        return None if adam is None else replace(adam, energy=None)
