"""One mode: the Fokker-Planck equation against a simulated level and against a machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spectrain.rmt import FokkerPlanck, RBMMode
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.rbm import ScalarRBM, Target, start_runs, train_rbm
from spectrain_studies.randomness.config import Config

CELLS = 1800
STEP = 0.01


@dataclass(frozen=True, slots=True)
class ModeCase:
    """One strength of the noise."""

    mass_squared: float
    target: float
    g_squared: float
    times: tuple[float, ...]
    start: tuple[float, float]
    runs: int
    batch: int
    seed: int = 0

    @property
    def equation(self) -> FokkerPlanck:
        """The document's equation on (0, μ²)."""
        mode = RBMMode(self.mass_squared, self.target)
        return FokkerPlanck(
            mode, g=self.g_squared**0.5, interval=(0.0, self.mass_squared), cells=CELLS
        )

    @property
    def rate(self) -> float:
        """α at which the machine has g² at the fixed point, per learning time 2αt.

        One update moves x by −2αxE, Var E = 2/(κ²|B|): g² = 2(α/|B|)x²/κ².
        """
        rest = self.mass_squared - self.target
        return self.g_squared * self.batch * self.target**2 / (2 * rest**2)


def mode_cases(config: Config) -> list[ModeCase]:
    one = config.mode
    return [
        ModeCase(one.mass_squared, one.target, g2, one.times, one.start, one.runs, one.batch)
        for g2 in one.strengths
    ]


def run_mode(case: ModeCase) -> Outcome:
    """Densities of the equation; distances of the simulated level and of the machine from them.

    A simulated level follows dx = K dτ + √2 g dB with the document's constant g; the machine has
    one visible and one hidden unit, and its noise grows with its level.
    """
    generator = torch.Generator().manual_seed(case.seed)
    equation = case.equation
    points = equation.points
    initial = np.exp(-((points - case.start[0]) ** 2) / (2 * case.start[1] ** 2))
    densities = equation.evolve(initial, np.array(case.times))
    mean, deviation = case.start
    start = mean + deviation * torch.empty(case.runs, dtype=torch.float64).normal_(
        generator=generator
    )
    level, machine = _level(case, start, generator), _machine(case, start, generator)
    distances = {
        name: [_distance(equation, p, x) for p, x in zip(densities, sample, strict=True)]
        for name, sample in (("level", level), ("machine", machine))
    }
    return {
        "points": points,
        "densities": densities,
        "stationary": equation.stationary(),
        "levels": level,
        "machine": machine,
        "distance_level": distances["level"],
        "distance_machine": distances["machine"],
        "seconds_per_update": 2 * case.rate,
    }


def _level(case: ModeCase, start: torch.Tensor, generator: torch.Generator) -> np.ndarray:
    """Euler-Maruyama, reflected at the ends."""
    top = case.mass_squared
    x, out, now = start.clone(), [], 0.0
    for time in case.times:
        for _ in range(round((time - now) / STEP)):
            noise = torch.empty_like(x).normal_(generator=generator)
            drift = (1 / case.target - 1 / (top - x)) * x
            x = (x + STEP * drift + (2 * STEP * case.g_squared) ** 0.5 * noise).abs()
            x = torch.where(x >= top, 2 * top - x, x).clamp(max=top - 1e-9)
        out.append(x.numpy().copy())
        now = time
    return np.stack(out)


def _machine(case: ModeCase, start: torch.Tensor, generator: torch.Generator) -> np.ndarray:
    machine = ScalarRBM(case.mass_squared)
    target = Target(torch.tensor([[1 / case.target]], dtype=torch.float64))
    weights = start.clamp_min(0).sqrt()[:, None, None]
    runs = start_runs(weights, case.batch, machine=machine, generator=generator)
    out, done = [], 0
    for time in case.times:
        updates = round(time / (2 * case.rate))
        runs = train_rbm(
            machine, target, runs, rate=case.rate, updates=updates - done, generator=generator
        )
        out.append(runs.weights[:, 0, 0].square().numpy())
        done = updates
    return np.stack(out)


def _distance(equation: FokkerPlanck, density: np.ndarray, sample: np.ndarray) -> float:
    """Kolmogorov distance of a sample from a density on cells."""
    edges = np.append(0.0, np.cumsum(density) * equation.width)
    at = equation.interval[0] + equation.width * np.arange(len(edges))
    law = np.interp(np.sort(sample), at, edges)
    rank = np.arange(len(sample)) / len(sample)
    return float(np.maximum(np.abs(law - rank), np.abs(law - rank - 1 / len(sample))).max())


MODE: Experiment[Config] = Experiment("mode", run_mode, mode_cases)
