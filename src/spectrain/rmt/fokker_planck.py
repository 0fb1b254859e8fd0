"""The Fokker-Planck equation of one variable in a potential, and its Hamiltonian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal
from scipy.sparse import csc_array

from spectrain.core import InputError
from spectrain.rmt.law import Array, Numbers, as_float, require_positive


@runtime_checkable
class Potential(Protocol):
    """A potential with its first two derivatives."""

    def value(self, x: Numbers) -> Float[Array, "*shape"]:
        """V(x)."""

    def drift(self, x: Numbers) -> Float[Array, "*shape"]:
        """K(x) = −V′(x)."""

    def curvature(self, x: Numbers) -> Float[Array, "*shape"]:
        """V″(x)."""


@dataclass(frozen=True, slots=True)
class FokkerPlanck:
    """∂P/∂t = ∂ₓ(g² ∂ₓ − K(x))P on an interval with reflecting ends: dx = K dt + √2 g dB.

    With P = √P_s ψ it becomes ∂ψ/∂t = −2H ψ, H = −(g²/2)∂ₓ² + U(x),
    U = V′²/8g² − V″/4, whose ground state is √P_s at energy zero; the other energies are half of
    the rates at which P relaxes.

    Attributes:
        potential: V, such as :class:`~spectrain.rmt.RBMMode`.
        g: amplitude of the noise.
        interval: ends; V may be infinite there.
        cells: number of equal cells. Errors fall with the square of their width, which should be
            a tenth of the narrowest feature, g/√V″.

    Raises:
        InputError: g is not positive, the interval is empty, or there are fewer than three cells.

    Source: Risken, The Fokker-Planck Equation, ch. 5; Aarts, Lucini & Park, arXiv:2407.16427.

    Example:
        >>> from spectrain.rmt import RBMMode
        >>> equation = FokkerPlanck(RBMMode(9.0, 4.0), g=0.1, interval=(0.0, 9.0))
        >>> energies, states = equation.spectrum(3)
        >>> bool(abs(energies[0]) < 1e-3), round(float(energies[1]), 2)  # half of K′(0) = 0.139
        (True, 0.07)
    """

    potential: Potential
    g: float
    interval: tuple[float, float]
    cells: int = 1000

    def __post_init__(self) -> None:
        require_positive(g=self.g, length=self.interval[1] - self.interval[0])
        if self.cells < 3:
            raise InputError(f"cells is {self.cells}", remedy="pass hundreds of them")

    @property
    def width(self) -> float:
        """Width of a cell."""
        return (self.interval[1] - self.interval[0]) / self.cells

    @property
    def points(self) -> Float[Array, " cells"]:
        """Centres of the cells."""
        return self.interval[0] + self.width * (np.arange(self.cells) + 0.5)

    def stationary(self) -> Float[Array, " cells"]:
        """P_s = exp(−V/g²)/Z on the points; sum times width is one."""
        exponent = -self.potential.value(self.points) / self.g**2
        weight = np.exp(exponent - exponent.max())
        return np.asarray(weight / (weight.sum() * self.width))

    def effective_potential(self, x: Numbers) -> Float[Array, "*shape"]:
        """U(x) of the Hamiltonian."""
        squared = self.potential.drift(x) ** 2 / (8 * self.g**2)
        return np.asarray(squared - self.potential.curvature(x) / 4)

    def spectrum(self, levels: int) -> tuple[Float[Array, " levels"], Float[Array, "levels cells"]]:
        """Lowest energies E_n of H and its normalised states ψ_n, one a row.

        Second differences of H itself, with the reflecting ends ψ′/ψ = K/2g²; that E₀ = 0 and
        ψ₀ = √P_s is not built in, so it shows whether the cells are narrow enough.

        Raises:
            InputError: more levels than cells, or none.
        """
        if not 1 <= levels <= self.cells:
            raise InputError(f"levels is {levels}", remedy=f"pass 1 to {self.cells}")
        hop = self.g**2 / (2 * self.width**2)
        diagonal = 2 * hop + self.effective_potential(self.points)
        with np.errstate(divide="ignore"):  # an infinite drift at an end keeps the state away
            outward = self.potential.drift(np.array(self.interval)) * np.array([-1, 1])
        diagonal[[0, -1]] -= hop * np.exp(outward * self.width / (2 * self.g**2))
        energies, states = eigh_tridiagonal(
            diagonal, np.full(self.cells - 1, -hop), select="i", select_range=(0, levels - 1)
        )
        signs = np.sign(states.sum(axis=0))
        return energies, (states * np.where(signs == 0, 1, signs) / np.sqrt(self.width)).T

    def evolve(
        self, initial: Float[Array, " cells"], times: Float[Array, " times"]
    ) -> Float[Array, "times cells"]:
        """P at the given times, from a density on the points at time zero.

        The fluxes between cells are those of Chang and Cooper: mass is conserved, P stays
        positive and P_s is exactly stationary. SciPy's BDF method carries the time.

        Args:
            initial: P ≥ 0 on the points; it is normalised.
            times: ascending, from zero on.

        Raises:
            InputError: the density is not one, or the times are not ascending.

        Source: Chang & Cooper, A practical difference scheme for Fokker-Planck equations (1970).
        """
        start = as_float(initial)
        if start.shape != (self.cells,) or start.min() < 0 or not 0 < start.sum() < np.inf:
            raise InputError("initial is no density on the points", remedy="pass values ≥ 0 there")
        if times.size == 0 or times[0] < 0 or (np.diff(times) < 0).any():
            raise InputError("times are not ascending from zero on", remedy="sort them")
        start = start / (start.sum() * self.width)
        rates = self._rates()
        solution = solve_ivp(
            lambda _, density: rates @ density,
            (0.0, max(float(times[-1]), np.finfo(np.float64).tiny)),
            start,
            method="BDF",
            t_eval=times,
            jac=rates,
            rtol=1e-7,
            atol=1e-10 * start.max(),
        )
        return np.asarray(solution.y.T)

    def _rates(self) -> csc_array:
        """The generator: cell i feeds cell i + 1 at rate (g/h)² B(w), w = ΔV/g²."""
        jump = np.diff(self.potential.value(self.points)) / self.g**2
        up = (self.g / self.width) ** 2 * _bernoulli(jump)
        down = (self.g / self.width) ** 2 * _bernoulli(-jump)
        leaving = np.append(up, 0.0) + np.insert(down, 0, 0.0)
        cell = np.arange(self.cells)
        entries = np.concatenate([up, -leaving, down])
        rows = np.concatenate([cell[1:], cell, cell[:-1]])
        columns = np.concatenate([cell[:-1], cell, cell[1:]])
        return csc_array((entries, (rows, columns)), shape=(self.cells, self.cells))


def _bernoulli(w: Float[Array, " faces"]) -> Float[Array, " faces"]:
    """B(w) = w/(eʷ − 1), B(0) = 1."""
    safe = np.where(w == 0, 1.0, np.clip(w, -500, 500))
    return np.where(w == 0, 1.0, safe / np.expm1(safe))
