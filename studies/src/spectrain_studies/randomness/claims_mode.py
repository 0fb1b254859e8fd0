"""Claims on one mode: potential, stationary law, Hamiltonian, time; and on teacher and student."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain.rmt import FokkerPlanck, RBMMode, WignerSurmise
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.linear import LINEAR
from spectrain_studies.randomness.mode import CELLS, MODE
from spectrain_studies.randomness.statistics import coefficient, distance, log_slope
from spectrain_studies.randomness.study import STUDY


def _mode(config: Config) -> RBMMode:
    return RBMMode(config.mode.mass_squared, config.mode.target)


def _equation(config: Config, g_squared: float) -> FokkerPlanck:
    interval = (0.0, config.mode.mass_squared)
    return FokkerPlanck(_mode(config), g=g_squared**0.5, interval=interval, cells=CELLS)


@STUDY.claim(
    "potential",
    source="slide “Non-universal dynamics”",
    statement="K = −V′ for V = −x²/2κ − x − μ² log(μ² − x)",
    statistic="largest difference from a central difference of the printed V, on (0, μ²)",
    criterion="below 1e-6",
)
def potential(config: Config) -> Judgement:
    mode, step = _mode(config), 1e-5
    x = np.linspace(0.01, 0.95 * mode.mass_squared, 500)
    slopes = (mode.value(x + step) - mode.value(x - step)) / (2 * step)
    return below(float(np.abs(slopes + mode.drift(x)).max()), 1e-6)


@STUDY.claim(
    "stationary-one-mode",
    source="slide “Non-universal dynamics”",
    statement="P_s = exp(−V/g²)/Z does not change under the Fokker-Planck equation",
    statistic="largest change of P_s over its peak after time 10, over g²",
    criterion="below 1e-6",
)
def stationary_one_mode(config: Config) -> Judgement:
    gaps = []
    for g_squared in config.mode.strengths:
        equation = _equation(config, g_squared)
        rest = equation.stationary()
        (later,) = equation.evolve(rest, np.array([10.0]))
        gaps.append(float(np.abs(later - rest).max() / rest.max()))
    return below(max(gaps), 1e-6)


@STUDY.claim(
    "ground-state",
    source="slide “Quantum-mechanical bound state problem”",
    statement="The ground state of H_FP is ψ₀ = √P_s with E₀ = 0, at g² = 0.01 and 0.001",
    statistic="1 − ⟨ψ₀|√P_s⟩ and |E₀| in units of E₁, largest over g², from H on cells",
    criterion="both below 0.01",
)
def ground_state(config: Config) -> Judgement:
    misses, energies = [], []
    for g_squared in config.mode.strengths:
        equation = _equation(config, g_squared)
        levels, states = equation.spectrum(2)
        overlap = float((states[0] * np.sqrt(equation.stationary())).sum() * equation.width)
        misses.append(1 - overlap)
        energies.append(abs(levels[0]) / levels[1])
    return combined(
        {"overlap": below(max(misses), 0.01), "energy": below(float(max(energies)), 0.01)}
    )


@STUDY.claim(
    "hamiltonian-form",
    source="slides “Time-dependent dynamics” and “Quantum-mechanical bound state problem”",
    statement="L†L/2 = −(g²/2)∂² + U with U = (U₀ + g²U₁)/g², U₀ = V′²/8, U₁ = −V″/4",
    statistic="largest difference of both sides applied to a test function, finite differences",
    criterion="below 1e-4 of the largest value",
)
def hamiltonian(config: Config) -> Judgement:
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
    inner = slice(10, -10)
    return below(float(np.abs(left - right)[inner].max() / np.abs(right).max()), 1e-4)


@STUDY.claim(
    "double-well",
    source="slide “Quantum-mechanical bound state problem”",
    statement="U is a double well on 0 ≤ x ≤ μ²",
    statistic="number of local minima of U on [0, μ²), over g²",
    criterion="2 for every g²",
)
def double_well(config: Config) -> Judgement:
    parts = {}
    for g_squared in config.mode.strengths:
        equation = _equation(config, g_squared)
        u = equation.effective_potential(equation.points)
        padded = np.concatenate([[np.inf], u, [np.inf]])
        minima = int(((padded[1:-1] < padded[:-2]) & (padded[1:-1] < padded[2:])).sum())
        parts[f"g² = {g_squared}"] = within(float(minima), 2, 2)
    return combined(
        parts,
        note="The well at x = 0 is the unstable fixed point of the drift: V is at a maximum there.",
    )


@STUDY.claim(
    "less-noise-nearer-target",
    source="slide “Quantum-mechanical bound state problem”",
    statement="Less noise describes the target better",
    statistic="root mean square distance of P_s from μ² − κ at the least g² over that at the "
    "largest",
    criterion="below 1; √(ratio of g²) is the small-noise law",
)
def nearer_target(config: Config) -> Judgement:
    def spread(g_squared: float) -> float:
        equation = _equation(config, g_squared)
        away = (equation.points - _mode(config).fixed_point) ** 2
        return float(np.sqrt((equation.stationary() * away).sum() * equation.width))

    one = config.mode.strengths
    law = (min(one) / max(one)) ** 0.5
    return below(spread(min(one)) / spread(max(one)), 1.0, details={"small-noise law": law})


@STUDY.claim(
    "time-dependent-level",
    source="slide “Time-dependent dynamics”",
    statement="The Fokker-Planck equation gives the density of a level dx = K dτ + √2 g dB",
    statistic="largest Kolmogorov distance of simulated levels from it over times and g²",
    criterion="below 1.95/√n + 0.01, the 0.1 % point and an allowance for the time step",
    needs=(MODE,),
)
def time_level(config: Config, mode: Results) -> Judgement:
    worst = max(float(max(result["distance_level"])) for result in mode)
    return below(worst, 1.95 / mode[0].case.runs ** 0.5 + 0.01, seeds=mode[0].case.runs)


@STUDY.claim(
    "time-dependent-machine",
    source="slide “Time-dependent dynamics” (“assume continuous time limit exists”)",
    statement="It gives the density of the machine's level, with constant g and τ = 2α updates",
    statistic="Kolmogorov distance of the one-unit machine's levels from it, largest over times, "
    "by g²",
    criterion="below 0.05",
    needs=(MODE,),
)
def time_machine(config: Config, mode: Results) -> Judgement:
    parts = {
        f"g² = {result.case.g_squared}": below(
            float(max(result["distance_machine"])),
            0.05,
            seeds=result.case.runs,
            details={"by time": np.asarray(result["distance_machine"]).tolist()},
        )
        for result in mode
    }
    return combined(
        parts, note="The machine's noise goes as x/(μ² − x); a constant g is that at rest."
    )


@STUDY.claim(
    "zero-is-unstable",
    source="slide “Non-universal dynamics” (not said there)",
    statement="x = 0 is a fixed point of the drift too, and unstable",
    statistic="K(0) and K′(0)",
    criterion="K(0) = 0 and K′(0) > 0",
)
def zero_unstable(config: Config) -> Judgement:
    mode = _mode(config)
    at_zero, slope = float(mode.drift(0.0)), -float(mode.curvature(0.0))
    return combined({"K(0)": within(at_zero, -1e-12, 1e-12), "K′(0)": above(slope, 0.0)})


def _spacing(result: object) -> Estimate:
    values = result["values"]  # type: ignore[index]
    return mean_estimate(torch.from_numpy(np.ascontiguousarray(values[:, 1] - values[:, 0])))


def _drive(result: object) -> float:
    """(α/|B|)A."""
    case = result.case  # type: ignore[attr-defined]
    return float(case.rate / case.batch * case.noise**2)


@STUDY.claim(
    "teacher-student-law",
    source="slide “Applications and implications” (teacher-student model)",
    statement="⟨S⟩ ∝ √((α/|B|)A), A = ε²",
    statistic="exponent of ⟨S⟩ against (α/|B|)A over all points",
    criterion="1/2 within 0.03",
    needs=(LINEAR,),
)
def teacher_law(config: Config, linear: Results) -> Judgement:
    found = log_slope([_drive(r) for r in linear], [_spacing(r) for r in linear])
    return within(found, 0.47, 0.53, seeds=linear[0].case.runs)


@STUDY.claim(
    "teacher-student-coefficient",
    source="theory of the teacher-student model",
    statement="⟨S⟩ = √π √((α/|B|)A/(1 − α/2))",
    statistic="coefficient of ⟨S⟩ on √((α/|B|)A/(1 − α/2)), all points",
    criterion="√π within 2 %",
    needs=(LINEAR,),
)
def teacher_coefficient(config: Config, linear: Results) -> Judgement:
    root = np.pi**0.5
    xs = [(_drive(r) / (1 - r.case.rate / 2)) ** 0.5 for r in linear]
    found = coefficient(xs, [_spacing(r) for r in linear])
    return within(found, 0.98 * root, 1.02 * root, seeds=linear[0].case.runs)


@STUDY.claim(
    "teacher-student-surmise",
    source="slide “Applications and implications” (teacher-student model)",
    statement="Its spacings follow the surmise",
    statistic="Kolmogorov distance of S/⟨S⟩ from the surmise, largest over points",
    criterion="below 1.95/√n, the 0.1 % point",
    needs=(LINEAR,),
)
def teacher_surmise(config: Config, linear: Results) -> Judgement:
    scaled = [r["values"][:, 1] - r["values"][:, 0] for r in linear]
    worst = max(distance(s / s.mean(), WignerSurmise()) for s in scaled)
    count = linear[0].case.runs
    return below(worst, 1.95 / count**0.5, seeds=count)


@STUDY.claim(
    "teacher-student-loss",
    source="slide “Summary” (“fundamental limitation of learning for finite learning rate”)",
    statement="The validation loss at rest goes as α/|B|",
    statistic="exponent of ½‖W − W_t‖² against (α/|B|)A over all points",
    criterion="1 within 0.1",
    needs=(LINEAR,),
)
def teacher_loss(config: Config, linear: Results) -> Judgement:
    losses = [mean_estimate(torch.from_numpy(np.ascontiguousarray(r["loss"]))) for r in linear]
    found = log_slope([_drive(r) for r in linear], losses)
    return within(found, 0.9, 1.1, seeds=linear[0].case.runs)
