"""The Marchenko-Pastur law: eigenvalues of WᵀW for a random W."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from jaxtyping import Float

from spectrain.core import InputError
from spectrain.rmt.ensembles import laguerre_eigenvalues, tall
from spectrain.rmt.law import (
    Array,
    Numbers,
    Values,
    as_float,
    bisect,
    require_order,
    require_positive,
)


@dataclass(frozen=True, slots=True)
class MarchenkoPastur:
    """P(x; σ², A) = A/(2πσ² r x) √((x₊ − x)(x − x₋)) on x± = σ²(1 ± √r)².

    The limit law of the eigenvalues of X = WᵀW, where W is M × N, M ≥ N, r = N/M, and its entries
    are independent of mean zero and variance σ²/M. Mind the factor M: a layer initialised with
    entries of variance v has σ² = Mv. A wide matrix has the spectrum of its transpose.
    An area A below one leaves the mass 1 − A to eigenvalues that are not random.

    Attributes:
        ratio: r = N/M, in (0, 1].
        variance: σ².
        area: A.

    Raises:
        InputError: an attribute is not positive, or the ratio is above one.

    Source: Marchenko & Pastur (1967); the area as in Aarts, Hajizadeh, Lucini & Park,
    arXiv:2411.13512.

    Example:
        >>> law = MarchenkoPastur(ratio=0.25)
        >>> law.edges
        (0.25, 2.25)
        >>> round(float(law.distribution(1.0)), 4), law.moment(2)  # E x² = 1 + r
        (0.5534, 1.25)
    """

    ratio: float
    variance: float = 1.0
    area: float = 1.0

    def __post_init__(self) -> None:
        require_positive(ratio=self.ratio, variance=self.variance, area=self.area)
        if self.ratio > 1:
            raise InputError(
                f"ratio is {self.ratio}",
                remedy="pass N/M with M ≥ N: the nonzero spectra of WᵀW and WWᵀ are the same",
            )

    @classmethod
    def of_entries(cls, shape: tuple[int, int], entry_variance: float) -> MarchenkoPastur:
        """The law for an M × N matrix, M ≥ N, whose entries have the given variance.

        Example:
            >>> MarchenkoPastur.of_entries((64, 16), 1 / 192).variance  # PyTorch's default Linear
            0.333...
        """
        rows, columns = tall(shape)
        return cls(columns / rows, rows * entry_variance)

    @property
    def edges(self) -> tuple[float, float]:
        """(x₋, x₊)."""
        root = np.sqrt(self.ratio)
        return float(self.variance * (1 - root) ** 2), float(self.variance * (1 + root) ** 2)

    def density(self, x: Numbers) -> Float[Array, "*shape"]:
        """P(x); infinite at x = 0 where r = 1."""
        x = as_float(x) / self.variance  # squares of very small variances would be zero
        lower, upper = (1 - np.sqrt(self.ratio)) ** 2, (1 + np.sqrt(self.ratio)) ** 2
        inside = (x > lower) & (x < upper)
        safe = np.where(inside, x, upper)
        root = np.sqrt((upper - safe) * (safe - lower))
        bulk = self.area / self.variance * root / (2 * np.pi * self.ratio * safe)
        return np.where((x == 0) & (lower == 0), np.inf, np.where(inside, bulk, 0.0))

    def distribution(self, x: Numbers) -> Float[Array, "*shape"]:
        """∫ P up to x, in closed form.

        With x = σ²(1 + r + 2√r cos θ) the mass above x is
        A/(2πr) [(1 + r)θ − 2√r sin θ − 2(1 − r) arctan((1 − √r)/(1 + √r) tan θ/2)].
        """
        cosine = (as_float(x) / self.variance - 1 - self.ratio) / (2 * np.sqrt(self.ratio))
        return np.asarray(self.area * (1 - self._above(np.arccos(np.clip(cosine, -1, 1)))))

    def quantile(self, probability: Numbers) -> Float[Array, "*shape"]:
        """The x below which the given fraction of the area lies.

        Raises:
            InputError: a probability is outside [0, 1].

        Example:
            >>> law = MarchenkoPastur(0.25)
            >>> law.distribution(law.quantile([0.1, 0.9])).round(12)
            array([0.1, 0.9])
        """
        p = as_float(probability)
        if not ((p >= 0) & (p <= 1)).all():
            raise InputError("a probability is outside [0, 1]", remedy="pass fractions")
        theta = bisect(lambda angle: self._above(angle) - (1 - p), 0.0, np.pi, p.shape)
        cosine = np.cos(theta)
        return np.asarray(self.variance * (1 + self.ratio + 2 * np.sqrt(self.ratio) * cosine))

    def log_slope(self, x: Numbers) -> Float[Array, "*shape"]:
        """Logarithmic slope d log P/d log x, strictly inside the edges."""
        x = as_float(x)
        lower, upper = self.edges
        return np.asarray(x * (0.5 / (x - lower) - 0.5 / (upper - x)) - 1)

    def moment(self, order: int) -> float:
        """∫ xᵏ P = A σ²ᵏ Σⱼ rʲ/(j + 1) C(k, j) C(k − 1, j), j from 0 to k − 1."""
        require_order(order)
        narayana = sum(
            self.ratio**j / (j + 1) * comb(order, j) * comb(order - 1, j) for j in range(order)
        )
        return self.area * self.variance**order * (narayana if order else 1.0)

    def sample(
        self, count: int, *, size: int, generator: torch.Generator
    ) -> Float[Array, "count size"]:
        """Spectra of ``count`` sampled Gaussian matrices with ``size`` columns and size/r rows.

        The eigenvalues of one matrix repel each other and are far more regular than independent
        draws from the law would be. The area plays no part: a tail is not random.
        """
        shape = (max(size, round(size / self.ratio)), size)
        return laguerre_eigenvalues(shape, count=count, generator=generator, variance=self.variance)

    def _above(self, theta: Values) -> Values:
        """Fraction of the area above x(θ)."""
        r, root = self.ratio, np.sqrt(self.ratio)
        arc = np.arctan2((1 - root) / (1 + root) * np.sin(theta / 2), np.cos(theta / 2))
        return ((1 + r) * theta - 2 * root * np.sin(theta) - 2 * (1 - r) * arc) / (2 * np.pi * r)
