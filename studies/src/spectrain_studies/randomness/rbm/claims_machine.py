"""Claims on the Gaussian machine: what it is, and its way to rest."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.noise.estimate import Estimate, mean_estimate
from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Measured,
    Near,
    OnEvery,
    Result,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.frame.planted import World
from spectrain_studies.frame.statistics import over_seeds
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import COURSE, REST, CourseCase, Machine
from spectrain_studies.randomness.statistics import Pair, on_pairs, spacings
from spectrain_studies.randomness.study import STUDY

SCALAR = "slides “Scalar field RBM”"
DYSON = "slide “Back to Dyson Brownian motion”"
FULL = "slide “Full time-dependent dynamics: learning”"


def _random_weights(config: Config) -> tuple[Machine, torch.Tensor]:
    machine = Machine.of(config)
    generator = torch.Generator().manual_seed(0)
    shape = 4, machine.sites, machine.sites
    return machine, 0.5 * torch.empty(shape, dtype=torch.float64).normal_(generator=generator)


@STUDY.claim(
    "kernel-spectrum",
    source=SCALAR,
    statement="K has the eigenvalues μ² − σ_h²ξ² and, beyond the hidden units, μ²",
    statistic="largest difference for random 10 × 6 weights",
    criterion=Below(1e-10),
)
def kernel_spectrum(config: Config) -> float:
    machine, weights = _random_weights(config)
    few = weights[:, :, :6]
    values = torch.linalg.eigvalsh(machine.rbm.kernel(few))
    written = machine.mass_squared - torch.linalg.svdvals(few).square()
    beyond = torch.full((4, machine.sites - 6), machine.mass_squared, dtype=torch.float64)
    return float((values - torch.cat([written, beyond], -1).sort(-1).values).abs().max())


@STUDY.claim(
    "free-dispersion",
    source=f"{SCALAR} (simple target distribution)",
    statement="κ_k = m² + 2 − 2 cos(2πk/N), each twice but for the lowest and the highest",
    statistic="largest difference from the eigenvalues of the lattice kernel; number of pairs, "
    "four for N = 10",
    criterion=AllOf({"modes": Below(1e-10), "pairs": Near(4, 0)}),
)
def dispersion(config: Config) -> dict[str, float]:
    field = Machine.of(config).field
    modes = torch.linalg.eigvalsh(field.kernel)
    return {
        "modes": float((modes - field.modes).abs().max()),
        "pairs": float((modes.diff() < 1e-9).sum()),
    }


SLIDES = "slides “Stochastic weight matrix dynamics” and “Back to Dyson Brownian motion”"

for _name, _source, _statement, _sign in (
    (
        "loss-sign-as-printed",
        SLIDES,
        "W′ = W − α δL/δW with δL/δW = σ_h²(⟨φφᵀ⟩_target − ⟨φφᵀ⟩_model)W, as printed, maximises "
        "the likelihood",
        -1,
    ),
    (
        "loss-sign-corrected",
        f"{SLIDES}, corrected: L read as the log-likelihood and the step taken uphill",
        "W′ = W + α δL/δW maximises the likelihood",
        1,
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="change of log-likelihood per α in one step",
        criterion=Above(0),
    )
    def likelihood_step(config: Config, sign: int = _sign) -> float:
        machine, weights = _random_weights(config)
        correlator, step = machine.field.correlator, 1e-6
        force = machine.rbm.gradient(weights, correlator)
        before = machine.rbm.log_likelihood(weights, correlator)
        after = machine.rbm.log_likelihood(weights + sign * step * force, correlator)
        return float(((after - before) / step).mean())


for _name, _how, _statement, _factor in (
    ("drift-as-printed", "as printed", "An update moves xᵢ by αKᵢ, Kᵢ = (1/κᵢ − 1/(μ² − xᵢ))xᵢ", 1),
    (
        "drift-corrected",
        "corrected",
        "An update moves xᵢ by 2αKᵢ: X = WᵀW doubles the change of W",
        2,
    ),
):

    @STUDY.claim(
        _name,
        source=f"{DYSON}, {_how}",
        statement=_statement,
        statistic="measured drift per α over K, all modes: the middle of their range",
        criterion=Near(_factor, 0.01),
    )
    def drift(config: Config) -> Estimate:
        machine, step = Machine.of(config), 1e-7
        kappa, vectors = torch.linalg.eigh(machine.field.kernel)
        x = torch.linspace(0.5, 6.5, machine.sites, dtype=torch.float64).flip(0)
        weights = vectors * x.sqrt()
        moved = weights + step * machine.rbm.gradient(weights, machine.field.correlator)
        change = (torch.linalg.svdvals(moved).square() - x) / step
        quotient = change / ((1 / kappa - 1 / (machine.mass_squared - x)) * x)
        low, high = float(quotient.min()), float(quotient.max())
        return Estimate((low + high) / 2, None, low, high, 1)


@STUDY.claim(
    "fixed-point",
    source=DYSON,
    statement="The drift vanishes where the spectrum is learnt, x = μ² − κ",
    statistic="largest |gradient| of the likelihood at that spectrum",
    criterion=Below(1e-10),
)
def fixed_point(config: Config) -> float:
    machine = Machine.of(config)
    weights = machine.warm(1, 1, torch.Generator().manual_seed(0)).weights
    return float(machine.rbm.gradient(weights, machine.field.correlator).abs().max())


def _targets(config: Config) -> np.ndarray:
    machine = Machine.of(config)
    return np.asarray(machine.rbm.fixed_points(machine.field.modes.flip(0)).numpy())


@STUDY.claim(
    "course-to-target",
    source="slide “RBM evolution”",
    statement="From the initial law the levels go to the target spectrum",
    statistic="mean level − (μ² − κ) at the last time, in units of the spread of the initial "
    "levels' means",
    criterion=OnEvery("level", Within(-0.05, 0.05)),
    needs=(COURSE,),
)
def course_to_target(config: Config, course: Results) -> dict[str, Estimate]:
    learned = course.only()["machine"]
    away = (learned[-1] - _targets(config)) / np.ptp(learned[0].mean(0))
    return {f"{number + 1}": over_seeds(values) for number, values in enumerate(away.T)}


@STUDY.claim(
    "at-rest",
    source="this study",
    statement="The runs are at rest when they are read",
    statistic="relative change of ⟨S⟩ from the earlier half of the snapshots to the later, mean "
    "over points",
    criterion=OnEvery("pair", Within(-0.05, 0.05)),
    needs=(REST,),
)
def stationary(config: Config, rest: Results) -> dict[str, Estimate]:
    """Points share no random numbers, so that their r-th runs are averaged as one."""

    def drift(pair: Pair, kappa: float) -> Estimate:
        changes = []
        for result in rest:
            s = spacings(result["levels"], pair)
            half = len(s) // 2
            changes.append((s[half:].mean(0) - s[:half].mean(0)) / s.mean())
        return mean_estimate(torch.from_numpy(np.mean(changes, axis=0)), level=0.95)

    if any(len(result["levels"]) < 2 for result in rest):
        return {"all": Estimate.missing("one snapshot", replicas=len(rest))}
    return on_pairs(config, drift)


def _distances(course: Result) -> list[float]:
    """Kolmogorov distance of all levels of machine and equation at every time but the first."""

    def at(learned: np.ndarray, equation: np.ndarray) -> float:
        grid = np.sort(learned.ravel())
        other = np.searchsorted(np.sort(equation.ravel()), grid, side="right") / equation.size
        return float(np.abs(other - (np.arange(grid.size) + 0.5) / grid.size).max())

    return [at(*pair) for pair in zip(course["machine"], course["equation"], strict=True)][1:]


def _courses(shift: float) -> World:
    def level(case: CourseCase) -> np.ndarray:
        shape = len(case.times), 60, 10
        return np.broadcast_to(np.linspace(1, 5, 10), shape)

    return near(spread=0.1, machine=level, equation=lambda case: level(case) + shift)


@STUDY.claim(
    "ten-modes-at-rest",
    source=FULL,
    statement="The ten-mode equation ends where the machine does",
    statistic="Kolmogorov distance of all levels at the last time",
    criterion=Below(0.1),
    needs=(COURSE,),
    planted=planted(COURSE, _courses(0.0), _courses(1.0)),
)
def ten_modes_rest(config: Config, course: Results) -> Measured:
    result = course.only()
    return Measured(_distances(result)[-1], seeds=result.case.runs)


@STUDY.claim(
    "ten-modes-on-the-way",
    source=FULL,
    statement="It is an effective description of learning at all times",
    statistic="largest Kolmogorov distance of all levels over the times before the last",
    criterion=Below(0.1),
    needs=(COURSE,),
    planted=planted(COURSE, _courses(0.0), _courses(1.0)),
)
def ten_modes_way(config: Config, course: Results) -> Measured:
    result = course.only()
    found = _distances(result)[:-1]
    return Measured(
        max(found),
        seeds=result.case.runs,
        details=dict(zip(map(str, result.case.times[1:-1]), found, strict=True)),
        note="The equation gives the i-th level the drift of the i-th mode and the noise of the "
        "fixed point; the eigenvectors of the random start know nothing of the target's",
    )
