"""Claims on the Gaussian machine: what it is, and its way to rest."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.noise.estimate import mean_estimate, symmetric
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.machine import COURSE, REST, Machine
from spectrain_studies.randomness.statistics import (
    MANY,
    PAIRS,
    spacings,
)
from spectrain_studies.randomness.study import STUDY

SCALAR = "slides “Scalar field RBM”"


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
    criterion="below 1e-10",
)
def kernel_spectrum(config: Config) -> Judgement:
    machine, weights = _random_weights(config)
    few = weights[:, :, :6]
    values = torch.linalg.eigvalsh(machine.rbm.kernel(few))
    written = machine.mass_squared - torch.linalg.svdvals(few).square()
    beyond = torch.full((4, machine.sites - 6), machine.mass_squared, dtype=torch.float64)
    gap = (values - torch.cat([written, beyond], -1).sort(-1).values).abs().max()
    return below(float(gap), 1e-10)


@STUDY.claim(
    "free-dispersion",
    source="slide “Scalar field RBM” (lattice field)",
    statement="κ_k = m² + 2 − 2 cos(2πk/N), each twice but for the lowest and the highest",
    statistic="largest difference from the eigenvalues of the lattice kernel; number of pairs",
    criterion="below 1e-10; four pairs for N = 10",
)
def dispersion(config: Config) -> Judgement:
    field = Machine.of(config).field
    modes = torch.linalg.eigvalsh(field.kernel)
    pairs = int((modes.diff() < 1e-9).sum())
    return combined(
        {
            "modes": below(float((modes - field.modes).abs().max()), 1e-10),
            "pairs": within(float(pairs), 4, 4),
        }
    )


def _likelihood_step(config: Config, sign: int) -> float:
    """Change of log-likelihood per α after W ± α σ_h²(⟨φφᵀ⟩_target − ⟨φφᵀ⟩_model)W."""
    machine, weights = _random_weights(config)
    correlator, step = machine.field.correlator, 1e-6
    force = machine.rbm.gradient(weights, correlator)
    before = machine.rbm.log_likelihood(weights, correlator)
    after = machine.rbm.log_likelihood(weights + sign * step * force, correlator)
    return float(((after - before) / step).mean())


@STUDY.claim(
    "loss-sign-as-printed",
    source="slides “Stochastic weight matrix dynamics” and “Back to Dyson Brownian motion”",
    statement="W′ = W − α δL/δW with δL/δW = σ_h²(⟨φφᵀ⟩_target − ⟨φφᵀ⟩_model)W, as printed, "
    "maximises the likelihood",
    statistic="change of log-likelihood per α in one step",
    criterion="above 0",
)
def sign_printed(config: Config) -> Judgement:
    return above(_likelihood_step(config, -1), 0.0)


@STUDY.claim(
    "loss-sign-corrected",
    source="the same slides, L read as the log-likelihood and the step taken uphill",
    statement="W′ = W + α δL/δW maximises the likelihood",
    statistic="change of log-likelihood per α in one step",
    criterion="above 0",
)
def sign_corrected(config: Config) -> Judgement:
    return above(_likelihood_step(config, 1), 0.0)


def _drift_ratio(config: Config) -> tuple[float, float]:
    """Least and largest measured drift over K(x) = (1/κ − 1/(μ² − x))x."""
    machine, step = Machine.of(config), 1e-7
    kappa, vectors = torch.linalg.eigh(machine.field.kernel)
    x = torch.linspace(0.5, 6.5, machine.sites, dtype=torch.float64).flip(0)
    weights = vectors * x.sqrt()
    moved = weights + step * machine.rbm.gradient(weights, machine.field.correlator)
    change = (torch.linalg.svdvals(moved).square() - x) / step
    quotient = change / ((1 / kappa - 1 / (machine.mass_squared - x)) * x)
    return float(quotient.min()), float(quotient.max())


@STUDY.claim(
    "drift-as-printed",
    source="slide “Back to Dyson Brownian motion”, as printed",
    statement="An update moves xᵢ by αKᵢ, Kᵢ = (1/κᵢ − 1/(μ² − xᵢ))xᵢ",
    statistic="measured drift per α over K, all modes",
    criterion="1 within 0.01",
)
def drift_printed(config: Config) -> Judgement:
    low, high = _drift_ratio(config)
    return within(symmetric((low + high) / 2, (high - low) / 2, replicas=MANY), 0.99, 1.01)


@STUDY.claim(
    "drift-corrected",
    source="slide “Back to Dyson Brownian motion”, corrected",
    statement="An update moves xᵢ by 2αKᵢ: X = WᵀW doubles the change of W",
    statistic="measured drift per α over K, all modes",
    criterion="2 within 0.01",
)
def drift_corrected(config: Config) -> Judgement:
    low, high = _drift_ratio(config)
    return within(symmetric((low + high) / 2, (high - low) / 2, replicas=MANY), 1.99, 2.01)


@STUDY.claim(
    "fixed-point",
    source="slide “Back to Dyson Brownian motion”",
    statement="The drift vanishes where the spectrum is learnt, x = μ² − κ",
    statistic="largest |gradient| of the likelihood at that spectrum",
    criterion="below 1e-10",
)
def fixed_point(config: Config) -> Judgement:
    machine = Machine.of(config)
    weights = machine.warm(1, 1, torch.Generator().manual_seed(0)).weights
    return below(float(machine.rbm.gradient(weights, machine.field.correlator).abs().max()), 1e-10)


@STUDY.claim(
    "course-to-target",
    source="slide “RBM evolution”",
    statement="From the initial law the levels go to the target spectrum",
    statistic="largest |mean level − (μ² − κ)| over levels at the last time, in units of the "
    "spread of the initial levels' means",
    criterion="below 0.05",
    needs=(COURSE,),
)
def course_to_target(config: Config, course: Results) -> Judgement:
    result = course.only()
    machine = Machine.of(config)
    rest = machine.rbm.fixed_points(machine.field.modes.flip(0)).numpy()
    last, first = result["machine"][-1], result["machine"][0]
    gap = np.abs(last.mean(0) - rest).max() / np.ptp(first.mean(0))
    return below(float(gap), 0.05, seeds=len(last), details={"mean levels": last.mean(0).tolist()})


@STUDY.claim(
    "at-rest",
    source="this study",
    statement="The runs are at rest when they are read",
    statistic="⟨S⟩ in the later half of the snapshots over that in the earlier, largest deviation "
    "from 1 over pairs and points",
    criterion="below 8 % (the largest of about fifty; by chance alone 4 %)",
    needs=(REST,),
)
def stationary(config: Config, rest: Results) -> Judgement:
    worst = (0.0, 0.0, 0)
    for result in rest:
        count = len(result["levels"])
        if count < 2:
            continue
        for pair in PAIRS:
            s = spacings(result["levels"], pair)
            gap = s[count // 2 :].mean(0) - s[: count // 2].mean(0)
            found = mean_estimate(torch.from_numpy(gap / s.mean()))
            worst = max(worst, (abs(float(found.value or 0)), float(found.error or 0), len(gap)))
    return below(
        worst[0],
        0.08,
        seeds=worst[2],
        details={"standard error of the worst": worst[1]},
        note="The largest of all deviations is reported; by chance alone it would be two to three "
        "of its standard errors.",
    )


@STUDY.claim(
    "ten-modes-at-rest",
    source="slide “Full time-dependent dynamics: learning”",
    statement="The ten-mode equation ends where the machine does",
    statistic="Kolmogorov distance of all levels at the last time",
    criterion="below 0.1",
    needs=(COURSE,),
)
def ten_modes_rest(config: Config, course: Results) -> Judgement:
    result = course.only()
    return below(_course_distance(result, -1), 0.1, seeds=result.case.runs)


@STUDY.claim(
    "ten-modes-on-the-way",
    source="slide “Full time-dependent dynamics: learning”",
    statement="It is an effective description of learning at all times",
    statistic="largest Kolmogorov distance of all levels over the times before the last",
    criterion="below 0.1",
    needs=(COURSE,),
)
def ten_modes_way(config: Config, course: Results) -> Judgement:
    result = course.only()
    found = [_course_distance(result, i) for i in range(1, len(result.case.times) - 1)]
    return below(
        max(found),
        0.1,
        seeds=result.case.runs,
        details=dict(zip(map(str, result.case.times[1:-1]), found, strict=True)),
        note="The equation gives the i-th level the drift of the i-th mode and the noise of the "
        "fixed point; the eigenvectors of the random start know nothing of the target's.",
    )


def _course_distance(result: object, index: int) -> float:
    learned, equation = result["machine"][index], result["equation"][index]  # type: ignore[index]
    grid = np.sort(learned.ravel())
    other = np.searchsorted(np.sort(equation.ravel()), grid, side="right") / equation.size
    return float(np.abs(other - (np.arange(grid.size) + 0.5) / grid.size).max())
