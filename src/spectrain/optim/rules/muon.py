"""torch's Muon: Newton-Schulz steps on an average of gradients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import UNKNOWN_LENGTH, Decay, Form, Length, Response, Rule
from spectrain.regime import NoiseUpdate, muon_noise

_SEED = 0


@lru_cache(maxsize=256)  # the same for all blocks of a shape, and for every answer that asks
def _simulated(
    shape: tuple[int, int], coefficients: tuple[float, ...], **settings: Any
) -> NoiseUpdate:
    """What Muon makes of noise of that shape."""
    options: dict[str, Any] = {"coefficients": coefficients} if coefficients else {}
    generator = torch.Generator().manual_seed(_SEED)
    return muon_noise(shape, generator=generator, **settings, **options)


@RULES.register(torch.optim.Muon, name="muon")
class Muon(Rule):
    """b ← μb + (1−μ)g and a step along NS(b), or NS((1−μ)g + μb) with Nesterov; decay is decoupled.

    Muon does not count its steps, so its average is not corrected for its start at zero, which
    ceases to matter after a few times 1/(1 − μ) steps.
    """

    form = Form.ORTHOGONAL

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED if self.number("weight_decay") else Decay.NONE

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        buffer = state.get("momentum_buffer")
        return buffer if isinstance(buffer, Tensor) else None

    def scale(self, shape: tuple[int, int]) -> float | None:
        """Singular values of the step at learning rate 1: √max(1, m/n), or 0.2·√max(m, n).

        Source:
            Jordan et al. 2024 (Muon); Liu et al. 2025, arXiv:2502.16982, §2.2 (the second).
        """
        match self.settings.get("adjust_lr_fn", "unknown"):
            case None | "original":
                return sqrt(max(1.0, shape[0] / shape[1]))
            case "match_rms_adamw":
                return 0.2 * sqrt(max(shape))
            case _:
                return None

    def intended(self, shape: tuple[int, int]) -> Length:
        scale = self.scale(shape)
        if scale is None:
            return Length(None, UNKNOWN_LENGTH)
        return Length(self.number("lr") * scale)

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """As :func:`spectrain.regime.muon_noise` has it; the gradient's scale does not matter."""
        if len(shape) != 2 or "momentum" not in self.settings:
            return None
        scale = self.scale(shape)
        shaped = _simulated(
            tuple(shape),
            tuple(self.settings.get("ns_coefficients") or ()),
            momentum=self.number("momentum"),
            nesterov=bool(self.settings.get("nesterov", True)),
            steps=round(self.number("ns_steps", 5.0)),
            scale=1.0 if scale is None else scale,
        )
        energy = None if scale is None else shaped.energy
        return Response(energy, shaped.terms, spread=shaped.spread)
