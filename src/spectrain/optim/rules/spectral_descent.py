"""SpecGD: steps as long as the gradient's nuclear norm in every direction; or plain descent."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor

from spectrain.core import Step
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay, Form, Length, Response, Rule
from spectrain.optim.spectral_descent import SpecGD

FOLLOWS_GRADIENT = "the length follows the gradient's nuclear norm"


@RULES.register(SpecGD, name="specgd")
class SpectralDescent(Rule):
    """W ← W − η‖G‖_*·polar(G), without decay."""

    form = Form.ORTHOGONAL

    @classmethod
    def applies(cls, group: Mapping[str, Any], parameter: Tensor | None) -> bool:
        return group["step"] == Step.SPECTRAL

    @property
    def decay(self) -> Decay:
        return Decay.NONE

    def parts(self, shape: tuple[int, ...]) -> int:
        return int(self.settings["cut"])

    def intended(self, shape: tuple[int, int]) -> Length:
        return Length(None, FOLLOWS_GRADIENT)

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """Independent from step to step; the length is measured."""
        return Response(None)


@RULES.register(SpecGD, name="specgd_euclidean")
class EuclideanDescent(Rule):
    """W ← W − ηG, in groups with ``step="euclidean"``, without decay."""

    form = Form.LINEAR

    @property
    def decay(self) -> Decay:
        return Decay.NONE

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """U² = Nσ², independent from step to step."""
        return Response(None if variance is None else prod(shape) * variance)
