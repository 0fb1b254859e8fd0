"""A rule: what is known of one family of optimizers, asked of one parameter group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer

from spectrain.regime import NoiseUpdate

UNKNOWN_LENGTH = "the optimizer does not say how long its orthogonal step is meant to be"


class Form(StrEnum):
    """How an update is made from the gradients.

    ``LINEAR``: a multiple of their average. ``DIAGONAL``: entry by entry, each divided by a size of
    its own. ``SIGN``: entries of one size. ``ORTHOGONAL``: a polar factor, singular values of one
    size. ``WHITENED``: multiplied by matrices (Shampoo, SOAP). ``UNKNOWN``: not known.
    """

    LINEAR = "linear"
    DIAGONAL = "diagonal"
    SIGN = "sign"
    ORTHOGONAL = "orthogonal"
    WHITENED = "whitened"
    UNKNOWN = "unknown"


class Decay(StrEnum):
    """How weight decay acts.

    ``NONE``: not at all. ``DECOUPLED``: the step multiplies the weights by a factor of its own.
    ``COUPLED``: λW is added to the gradient, or to the update before it is scaled. ``UNKNOWN``: the
    optimizer does not say.
    """

    NONE = "none"
    DECOUPLED = "decoupled"
    COUPLED = "coupled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Length:
    """All singular values of an orthogonal step, or why they are not known."""

    scale: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What a group makes of gradients that are noise without signal.

    Attributes:
        energy: U² = E‖u‖² of the update u at learning rate 1 without decay; ``None`` where it has
            to be measured.
        terms: the updates' autocorrelation as geometric terms, see
            :class:`~spectrain.regime.NoiseUpdate`.
        decay: factor by which λ acts as decoupled decay would: 1 where it is decoupled; ``None``
            where it is not known.
        spread: relative error of U²S that the theory leaves.
        coupled: decay passes through the same memory as the gradient.
    """

    energy: float | None
    terms: tuple[tuple[float, float], ...] = ()
    decay: float | None = 1.0
    spread: float = 0.0
    coupled: bool = False

    def measured(self, energy: float) -> Response:
        """The same with a measured energy."""
        return replace(self, energy=energy)

    @property
    def update(self) -> NoiseUpdate | None:
        """For :func:`spectrain.regime.equilibrium`; ``None`` while the energy is not known."""
        if self.energy is None:
            return None
        return NoiseUpdate(self.energy, self.terms, self.spread, self.coupled)

    @property
    def successive_cosine(self) -> float:
        """Cosine of successive updates, in the mean."""
        return sum(weight * rate for weight, rate in self.terms)


class Rule:
    """What is known of a family of optimizers, for the settings of one parameter group.

    A subclass answers what is known of its family and leaves the rest to this class, which answers
    that it is not known. Every answer is a function of the settings (and of an optimizer's state
    for a parameter); nothing is kept.

    Args:
        settings: of the group: the group itself, or what a run recorded of it.
        label: class name of the optimizer.

    Attributes:
        name: under which the rule is registered.
        form: how an update is made.
    """

    name: ClassVar[str] = "unknown"
    form: Form = Form.UNKNOWN

    def __init__(self, settings: Mapping[str, Any], *, label: str = "") -> None:
        self.settings = settings
        self.label = label or self.name

    @classmethod
    def of(cls, optimizer: Optimizer, group: Mapping[str, Any], parameter: Tensor | None) -> Rule:
        """The rule, bound to a group; a rule of wrappers asks the optimizer inside."""
        return cls(group, label=type(optimizer).__name__)

    @classmethod
    def applies(cls, group: Mapping[str, Any], parameter: Tensor | None) -> bool:
        """Whether the rule is about this group of its optimizer, where several are registered."""
        return True

    def number(self, key: str, default: float = 0.0) -> float:
        """A setting as a number; the default where the group has none or ``None``."""
        value = self.settings.get(key)
        return default if value is None else float(value)

    def orthogonalizes(self, shape: tuple[int, ...]) -> bool:
        """Whether the step of a parameter of this shape is a polar factor."""
        return self.form is Form.ORTHOGONAL

    def isometric(self, shape: tuple[int, ...]) -> bool:
        """Whether all singular values of the step are meant to be equal."""
        return self.orthogonalizes(shape)

    def parts(self, shape: tuple[int, ...]) -> int:
        """Into how many equal parts along its first dimension a parameter is cut beforehand."""
        return 1

    @property
    def decay(self) -> Decay:
        """How weight decay acts on this group."""
        return Decay.UNKNOWN if self.number("weight_decay") else Decay.NONE

    def decay_factor(self) -> float | None:
        """Factor on the weights apart from the update: 1 − ηλ if decay is decoupled, else 1.

        ``None`` where it is not known.
        """
        match self.decay:
            case Decay.DECOUPLED:
                return 1.0 - self.number("lr") * self.number("weight_decay")
            case Decay.UNKNOWN:
                return None
            case _:
                return 1.0

    def average(self, state: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        """The average of the gradients so far, its weights adding up to 1.

        Args:
            state: of the parameter, as it is before a step.
            parameter: its weights; coupled decay has them in the average.
        """
        return None

    def direction(self, state: Mapping[str, Any]) -> Tensor | None:
        """The last update up to a positive factor (its negative step), from the state after it."""
        return None

    def intended(self, shape: tuple[int, int]) -> Length:
        """All singular values of the step that the settings ask of an orthogonal update.

        Args:
            shape: rows and columns of the parameter as a matrix.
        """
        return Length(None, UNKNOWN_LENGTH)

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """What noise without signal makes of the updates; ``None`` where that is not known.

        Args:
            shape: of the block.
            variance: σ² of an entry of the gradient, if known. Without it the gradient is taken as
                large against ε, and an answer that depends on it is left to be measured.
        """
        return None
