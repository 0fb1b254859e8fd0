"""Optimizers around an optimizer: what they pass on of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from spectrain.optim.rules.registry import RULES, resolve
from spectrain.optim.rules.rule import Decay, Form, Response, Rule


@RULES.register("AcceleratedOptimizer")
class Passed(Rule):
    """Accelerate's wrapper takes the steps of the optimizer inside."""

    @classmethod
    def of(cls, optimizer: Any, group: Mapping[str, Any], parameter: Tensor | None) -> Rule:
        return resolve(optimizer.optimizer, group, parameter)


@RULES.register("spectrain.Intervened", name="intervened")
class Transformed(Rule):
    """:class:`~spectrain.optim.Intervened`: decay of the optimizer inside, all else transformed.

    A transformed gradient is what the optimizer inside averages, so its average is not that of the
    gradients; a transformed update has another length and another answer to noise.
    """

    inner: Rule | None = None

    @classmethod
    def of(cls, optimizer: Any, group: Mapping[str, Any], parameter: Tensor | None) -> Rule:
        rule = cls(group, label=type(optimizer).__name__)
        rule.inner = resolve(optimizer.inner, group, parameter)
        untouched = optimizer.update is None
        rule.form = rule.inner.form if untouched else Form.UNKNOWN
        return rule

    @property
    def decay(self) -> Decay:
        return Decay.UNKNOWN if self.inner is None else self.inner.decay

    def decay_factor(self) -> float | None:
        return None if self.inner is None else self.inner.decay_factor()

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        return None
