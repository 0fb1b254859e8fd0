"""One mode of the Gaussian restricted Boltzmann machine: its drift and its potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import Array, Numbers, as_float, require_positive


@dataclass(frozen=True, slots=True)
class RBMMode:
    """K(x) = (1/κ − 1/(μ² − x)) x, V(x) = −x²/2κ − x − μ² log(μ² − x) on 0 ≤ x < μ².

    The eigenvalue x of WᵀW that stands for a mode κ of the target, in the learning time of the
    document. (Plain gradient ascent with rate α moves x by 2αK an update: the document drops
    the 2.) The drift vanishes where the mode is learnt, at x = μ² − κ, and, unstably, at x = 0.

    Attributes:
        mass_squared: μ² of the machine.
        target: κ, below μ², or there is nothing to learn.

    Raises:
        InputError: unless 0 < κ < μ².

    Source: Aarts, Lucini & Park, arXiv:2309.15002 and 2407.16427.

    Example:
        >>> mode = RBMMode(mass_squared=9.0, target=4.0)
        >>> mode.fixed_point, float(mode.drift(5.0)), float(mode.curvature(5.0))
        (5.0, 0.0, 0.3125)
    """

    mass_squared: float
    target: float

    def __post_init__(self) -> None:
        require_positive(mass_squared=self.mass_squared, target=self.target)
        if self.target >= self.mass_squared:
            raise InputError(
                f"target is {self.target} and mass_squared {self.mass_squared}",
                remedy="raise mass_squared above the target: the machine cannot learn this mode",
            )

    @property
    def fixed_point(self) -> float:
        """μ² − κ."""
        return self.mass_squared - self.target

    def value(self, x: Numbers) -> Float[Array, "*shape"]:
        """V(x)."""
        x = as_float(x)
        barrier = self.mass_squared * np.log(self.mass_squared - x)
        return np.asarray(-(x**2) / (2 * self.target) - x - barrier)

    def drift(self, x: Numbers) -> Float[Array, "*shape"]:
        """K(x) = −V′(x)."""
        x = as_float(x)
        return np.asarray((1 / self.target - 1 / (self.mass_squared - x)) * x)

    def curvature(self, x: Numbers) -> Float[Array, "*shape"]:
        """V″(x) = −1/κ + μ²/(μ² − x)²; (μ² − κ)/κ² at the fixed point."""
        x = as_float(x)
        return np.asarray(self.mass_squared / (self.mass_squared - x) ** 2 - 1 / self.target)
