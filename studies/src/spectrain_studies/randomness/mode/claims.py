"""Claims on one mode: potential, stationary law, Hamiltonian, time."""

from __future__ import annotations

import numpy as np

from spectrain.rmt import FokkerPlanck, RBMMode
from spectrain_studies.frame import Above, AllOf, Below, Measured, Near, OnEvery, Results, planted
from spectrain_studies.frame.planted import near
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.mode.experiment import CELLS, MODE
from spectrain_studies.randomness.statistics import PERMILLE
from spectrain_studies.randomness.study import STUDY

POTENTIAL = "slide “Non-universal dynamics”"
BOUND = "slide “Quantum-mechanical bound state problem”"
TIME = "slide “Time-dependent dynamics”"
EULER = 0.01
"""Allowance for the finite time step of the simulated level, in Kolmogorov distance."""


def _mode(config: Config) -> RBMMode:
    return RBMMode(config.mode.mass_squared, config.mode.target)


def _equation(config: Config, g_squared: float) -> FokkerPlanck:
    interval = (0.0, config.mode.mass_squared)
    return FokkerPlanck(_mode(config), g=g_squared**0.5, interval=interval, cells=CELLS)


@STUDY.claim(
    "potential",
    source=POTENTIAL,
    statement="K = −V′ for V = −x²/2κ − x − μ² log(μ² − x)",
    statistic="largest difference from a central difference of the printed V, on (0, μ²)",
    criterion=Below(1e-6),
)
def potential(config: Config) -> float:
    mode, step = _mode(config), 1e-5
    x = np.linspace(0.01, 0.95 * mode.mass_squared, 500)
    slopes = (mode.value(x + step) - mode.value(x - step)) / (2 * step)
    return float(np.abs(slopes + mode.drift(x)).max())


@STUDY.claim(
    "stationary-one-mode",
    source=POTENTIAL,
    statement="P_s = exp(−V/g²)/Z does not change under the Fokker-Planck equation",
    statistic="largest change of P_s over its peak after time 10, over g²",
    criterion=Below(1e-6),
)
def stationary_one_mode(config: Config) -> float:
    gaps = []
    for g_squared in config.mode.strengths:
        equation = _equation(config, g_squared)
        rest = equation.stationary()
        (later,) = equation.evolve(rest, np.array([10.0]))
        gaps.append(float(np.abs(later - rest).max() / rest.max()))
    return max(gaps)


@STUDY.claim(
    "ground-state",
    source=BOUND,
    statement="The ground state of H_FP is ψ₀ = √P_s with E₀ = 0, at g² = 0.01 and 0.001",
    statistic="1 − ⟨ψ₀|√P_s⟩ and |E₀| in units of E₁, largest over g², from H on cells",
    criterion=AllOf({"overlap": Below(0.01), "energy": Below(0.01)}),
)
def ground_state(config: Config) -> dict[str, float]:
    misses, energies = [], []
    for g_squared in config.mode.strengths:
        equation = _equation(config, g_squared)
        levels, states = equation.spectrum(2)
        overlap = float((states[0] * np.sqrt(equation.stationary())).sum() * equation.width)
        misses.append(1 - overlap)
        energies.append(float(abs(levels[0]) / levels[1]))
    return {"overlap": max(misses), "energy": max(energies)}


@STUDY.claim(
    "hamiltonian-form",
    source="slides “Time-dependent dynamics” and “Quantum-mechanical bound state problem”",
    statement="L†L/2 = −(g²/2)∂² + U with U = (U₀ + g²U₁)/g², U₀ = V′²/8, U₁ = −V″/4",
    statistic="largest difference of both sides applied to a test function, finite differences, "
    "over the largest value",
    criterion=Below(1e-4),
)
def hamiltonian(config: Config) -> float:
    mode, g = _mode(config), 0.3
    x = np.linspace(1.0, 7.5, 8001)
    h = x[1] - x[0]
    f = np.exp(-((x - 4.5) ** 2))

    def derivative(y: np.ndarray) -> np.ndarray:
        return np.gradient(y, h, edge_order=2)

    slope = -mode.drift(x)
    lowered = g * derivative(f) + slope / (2 * g) * f
    left = 0.5 * (-g * derivative(lowered) + slope / (2 * g) * lowered)
    u = (slope**2 / 8 + g**2 * (-mode.curvature(x) / 4)) / g**2
    right = -(g**2) / 2 * derivative(derivative(f)) + u * f
    return float(np.abs(left - right)[10:-10].max() / np.abs(right).max())


@STUDY.claim(
    "double-well",
    source=BOUND,
    statement="U is a double well on 0 ≤ x ≤ μ²",
    statistic="number of local minima of U on [0, μ²)",
    criterion=OnEvery("g²", Near(2, 0)),
)
def double_well(config: Config) -> dict[str, Measured]:
    note = "The well at x = 0 is the unstable fixed point of the drift: V is at a maximum there"

    def minima(g_squared: float) -> Measured:
        equation = _equation(config, g_squared)
        u = np.concatenate([[np.inf], equation.effective_potential(equation.points), [np.inf]])
        return Measured(float(((u[1:-1] < u[:-2]) & (u[1:-1] < u[2:])).sum()), note=note)

    return {f"{g_squared}": minima(g_squared) for g_squared in config.mode.strengths}


@STUDY.claim(
    "less-noise-nearer-target",
    source=BOUND,
    statement="Less noise describes the target better",
    statistic="root mean square distance of P_s from μ² − κ at the least g² over that at the "
    "largest; √(ratio of g²) is the small-noise law",
    criterion=Below(1),
)
def nearer_target(config: Config) -> Measured:
    def spread(g_squared: float) -> float:
        equation = _equation(config, g_squared)
        away = (equation.points - _mode(config).fixed_point) ** 2
        return float(np.sqrt((equation.stationary() * away).sum() * equation.width))

    one = config.mode.strengths
    law = (min(one) / max(one)) ** 0.5
    return Measured(spread(min(one)) / spread(max(one)), details={"small-noise law": law})


@STUDY.claim(
    "time-dependent-level",
    source=TIME,
    statement="The Fokker-Planck equation gives the density of a level dx = K dτ + √2 g dB",
    statistic=f"√n times (largest Kolmogorov distance of simulated levels from it, over times and "
    f"g², less {EULER} for the time step)",
    criterion=Below(PERMILLE),
    needs=(MODE,),
    planted=planted(MODE, near(distance_level=[0.01]), near(distance_level=[0.2])),
)
def time_level(config: Config, mode: Results) -> Measured:
    worst = max(float(max(result["distance_level"])) for result in mode)
    runs = mode[0].case.runs
    return Measured(runs**0.5 * (worst - EULER), seeds=runs)


@STUDY.claim(
    "time-dependent-machine",
    source=f"{TIME} (“assume continuous time limit exists”)",
    statement="It gives the density of the machine's level, with constant g and τ = 2α updates",
    statistic="Kolmogorov distance of the one-unit machine's levels from it, largest over times",
    criterion=OnEvery("g²", Below(0.05)),
    needs=(MODE,),
    planted=planted(MODE, near(distance_machine=[0.01]), near(distance_machine=[0.2])),
)
def time_machine(config: Config, mode: Results) -> dict[str, Measured]:
    return {
        f"{result.case.g_squared}": Measured(
            float(max(result["distance_machine"])),
            seeds=result.case.runs,
            details={"by time": np.asarray(result["distance_machine"]).tolist()},
            note="The machine's noise goes as x/(μ² − x); a constant g is that at rest",
        )
        for result in mode
    }


@STUDY.claim(
    "zero-is-unstable",
    source=f"{POTENTIAL} (not said there)",
    statement="x = 0 is a fixed point of the drift too, and unstable",
    statistic="K(0) and K′(0)",
    criterion=AllOf({"K(0)": Near(0, 1e-12), "K′(0)": Above(0)}),
)
def zero_unstable(config: Config) -> dict[str, float]:
    mode = _mode(config)
    return {"K(0)": float(mode.drift(0.0)), "K′(0)": -float(mode.curvature(0.0))}
