"""A signal in a random matrix: which singular values and vectors survive the noise (BBP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.law import Array, Numbers, Values, as_float, require_positive


@dataclass(frozen=True, slots=True)
class SpikedMatrix:
    """θuvᵀ + E with independent entries of variance s² in E (m × n), as m and n grow.

    The singular value θ of the signal is visible if θ > s(mn)^¼. It then comes out as σ̂ above the
    edge s(√m + √n), with singular vectors û, v̂ that keep a part of u and v. With x = θ²:
    σ̂² = (x + ms²)(x + ns²)/x, ⟨u, û⟩² = (x² − mns⁴)/(x(x + ms²)),
    ⟨v, v̂⟩² = (x² − mns⁴)/(x(x + ns²)). A weaker signal leaves σ̂ at the edge and both overlaps 0.

    Attributes:
        shape: (m, n), in either order.
        entry_variance: s², the variance of one entry (not times a dimension).

    Raises:
        InputError: a dimension is below one, or the variance is not positive.

    Source: Benaych-Georges & Nadakuditi, The singular values and vectors of low rank perturbations
    of large rectangular random matrices (2012), §3.1; the transition: Baik, Ben Arous & Péché.

    Example:
        >>> model = SpikedMatrix((300, 600), entry_variance=1 / 600)
        >>> round(float(model.left_overlap(1.5)), 3), round(float(model.right_overlap(1.5)), 3)
        (0.737, 0.624)
    """

    shape: tuple[int, int]
    entry_variance: float

    def __post_init__(self) -> None:
        require_positive(entry_variance=self.entry_variance)
        if min(self.shape) < 1:
            raise InputError(f"the shape is {self.shape}", remedy="pass dimensions of at least 1")

    @property
    def threshold(self) -> float:
        """s(mn)^¼: the weakest signal that leaves a trace."""
        rows, columns = self.shape
        return float(np.sqrt(self.entry_variance) * (rows * columns) ** 0.25)

    @property
    def edge(self) -> float:
        """s(√m + √n): the largest singular value of the noise alone."""
        rows, columns = self.shape
        return float(np.sqrt(self.entry_variance) * (np.sqrt(rows) + np.sqrt(columns)))

    def singular_value(self, strength: Numbers) -> Float[Array, "*shape"]:
        """σ̂: what a signal of singular value θ comes out as."""
        x, left, right = self._terms(strength)
        return np.asarray(np.sqrt(left * right / x))

    def strength(self, singular_value: Numbers) -> Float[Array, "*shape"]:
        """θ: the signal behind an observed σ̂, the inverse of :meth:`singular_value`.

        Zero for a σ̂ inside the bulk, which says nothing about a signal.

        Example:
            >>> model = SpikedMatrix((300, 600), 1 / 600)
            >>> model.strength(model.singular_value([1.5, 0.1])).round(12)
            array([1.5, 0. ])
        """
        rows, columns = self.shape
        observed = as_float(singular_value)
        squared = observed**2 - (rows + columns) * self.entry_variance
        floor = 2 * self.threshold**2
        root = np.sqrt(np.maximum(squared**2 - floor**2, 0.0))
        above = observed > self.edge * (1 + 1e-12)
        return np.where(above, np.sqrt((np.maximum(squared, floor) + root) / 2), 0.0)

    def left_overlap(self, strength: Numbers) -> Float[Array, "*shape"]:
        """⟨u, û⟩²."""
        x, left, _ = self._terms(strength)
        return np.asarray((x**2 - self.threshold**4) / (x * left))

    def right_overlap(self, strength: Numbers) -> Float[Array, "*shape"]:
        """⟨v, v̂⟩²."""
        x, _, right = self._terms(strength)
        return np.asarray((x**2 - self.threshold**4) / (x * right))

    def _terms(self, strength: Numbers) -> tuple[Values, Values, Values]:
        """x, x + ms², x + ns², with x held at the threshold below it."""
        rows, columns = self.shape
        x = np.maximum(as_float(strength) ** 2, self.threshold**2)
        return x, x + rows * self.entry_variance, x + columns * self.entry_variance
