"""timm's Muon: falls back to AdamW with ``use_fallback`` and for unsuitable shapes."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from torch import Tensor

from spectrain.optim.rules.adam import FirstMoment
from spectrain.optim.rules.muon import Muon
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay


@RULES.register("timm.Muon", name="timm_muon")
class TimmMuon(Muon):
    """Muon with one more length, √(m/n); a parameter's state shows whether it fell back."""

    @classmethod
    def applies(cls, group: Mapping[str, Any], parameter: Tensor | None) -> bool:
        return group.get("algo", "muon") == "muon"

    def orthogonalizes(self, shape: tuple[int, ...]) -> bool:
        """A vector falls back, and whatever has fewer than two dimensions that are not 1."""
        return sum(size > 1 for size in shape) > 1

    def scale(self, shape: tuple[int, int]) -> float | None:
        if self.settings.get("adjust_lr_fn") == "rms_to_rms":
            return sqrt(shape[0] / shape[1])
        return super().scale(shape)


@RULES.register("timm.Muon", name="timm_fallback")
class TimmFallback(FirstMoment):
    """NAdam with decoupled decay if ``nesterov`` is set, else AdamW, at a rate of its own."""

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED if self.number("weight_decay") else Decay.NONE

    def decay_factor(self) -> float | None:
        rate = self.number("lr") * self.number("fallback_lr_scale", 1.0)
        return 1.0 - rate * self.number("weight_decay")
