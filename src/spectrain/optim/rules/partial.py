"""Orthogonal steps of less than full rank, or with singular values that differ on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from spectrain.optim.rules.orthogonal import Orthogonal
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Response


@RULES.register("dion", "dionsimple", "dionreference", "dion2")
class Dion(Orthogonal):
    """P Qᵀ with orthonormal P of rank r, found by a power iteration on the momentum.

    Source:
        Ahn et al. 2025, arXiv:2504.05295.
    """

    def isometric(self, shape: tuple[int, ...]) -> bool:
        """Unless the settings ask for a part of the rank."""
        share = self.number("rank_fraction", self.number("rank_frac", self.number("fraction", 1.0)))
        rank = self.number("rank", min(shape) if len(shape) > 1 else 1)
        return self.orthogonalizes(shape) and share >= 1 and rank >= min(shape)


@RULES.register("spectrain.EchoFilter", name="echo_filter")
class EchoFiltered(Orthogonal):
    """U diag(ζ) Vᵀ of the momentum: singular values are the echoes ζ. Decay is decoupled."""

    form = Form.ORTHOGONAL

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED if self.number("weight_decay") else Decay.NONE

    def isometric(self, shape: tuple[int, ...]) -> bool:
        return False

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        kept, beta = state.get("momentum"), self.number("momentum")
        return kept * (1 - beta) if isinstance(kept, Tensor) and 0 < beta < 1 else None

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """Not known: echoes of noise, and so the size of the step, follow the replicas."""
        return None
