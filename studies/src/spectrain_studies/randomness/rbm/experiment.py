"""Experiments on the Gaussian machine: levels at rest, the way there, noise, generalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from spectrain.rmt import evolve_levels
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.rbm import (
    LatticeField,
    RBMRuns,
    ScalarRBM,
    Target,
    start_runs,
    train_rbm,
)
from spectrain_studies.randomness.config import Config


@dataclass(frozen=True, slots=True)
class Machine:
    """What all machines of one configuration share."""

    sites: int
    mass_squared: float
    field_mass_squared: float
    sweeps: int

    @classmethod
    def of(cls, config: Config) -> Machine:
        one = config.machine
        return cls(one.sites, one.mass_squared, one.field_mass_squared, one.sweeps)

    @property
    def field(self) -> LatticeField:
        return LatticeField(self.sites, self.field_mass_squared)

    @property
    def rbm(self) -> ScalarRBM:
        return ScalarRBM(self.mass_squared)

    def warm(self, runs: int, batch: int, generator: torch.Generator) -> RBMRuns:
        """Runs that start at the target."""
        weights = self.rbm.start_at(self.field.kernel, self.sites, count=runs, generator=generator)
        return start_runs(weights, batch, machine=self.rbm, generator=generator)

    def train(
        self,
        runs: RBMRuns,
        rate: float,
        updates: int,
        generator: torch.Generator,
        target: Target | None = None,
    ) -> RBMRuns:
        return train_rbm(
            self.rbm,
            target or Target(self.field.correlator),
            runs,
            rate=rate,
            updates=updates,
            sweeps=self.sweeps,
            generator=generator,
        )


@dataclass(frozen=True, slots=True)
class RestCase:
    """Levels at rest at one α and |B|."""

    machine: Machine
    rate: float
    batch: int
    runs: int
    first: int
    between: int
    snapshots: int
    cold: bool
    seed: int = 0


def rest_cases(config: Config) -> list[RestCase]:
    one = config.machine
    points = [(one.batch_rate, batch) for batch in one.batches]
    points += [(rate, one.rate_batch) for rate in one.rates]
    points += list(one.equal)
    return [
        RestCase(
            Machine.of(config),
            rate,
            batch,
            one.runs,
            ceil(one.settle / rate) if one.settle else one.updates,
            ceil(one.between / rate),
            one.snapshots,
            cold=not one.settle,
            seed=seed,  # points share no random numbers
        )
        for seed, (rate, batch) in enumerate(dict.fromkeys(points))
    ]


def run_rest(case: RestCase) -> Outcome:
    """Levels λ = μ² − x of every snapshot and run, ascending, and the mode each belongs to.

    ``mode`` is the index of the distinct κ in whose eigenspace the level's eigenvector lies most.
    """
    generator = torch.Generator().manual_seed(case.seed)
    machine = case.machine
    if case.cold:
        shape = case.runs, machine.sites, machine.sites
        weights = 0.1 * torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        runs = start_runs(weights, case.batch)
    else:
        runs = machine.warm(case.runs, case.batch, generator)
    levels, modes = [], []
    for number in range(case.snapshots):
        updates = case.between if number else case.first
        runs = machine.train(runs, case.rate, updates, generator)
        kernel = machine.rbm.kernel(runs.weights)
        values, vectors = torch.linalg.eigh(kernel)
        levels.append(values)
        modes.append(_mode_of(vectors, machine.field))
    return {"levels": torch.stack(levels).numpy(), "mode": torch.stack(modes).numpy()}


def _mode_of(vectors: Tensor, field: LatticeField) -> Tensor:
    """Index of the eigenspace of the target that holds most of each eigenvector."""
    values, basis = torch.linalg.eigh(field.kernel)
    weight = (basis.mT @ vectors).square()
    space = torch.cat([torch.zeros(1), (values.diff() > 1e-9).cumsum(0)]).long()
    shape = *vectors.shape[:-2], int(space.max()) + 1, vectors.shape[-1]
    summed = torch.zeros(shape, dtype=weight.dtype).index_add_(-2, space, weight)
    return summed.argmax(-2).to(torch.int8)


@dataclass(frozen=True, slots=True)
class CourseCase:
    """From the initial law to the target, and the ten-mode equation beside it."""

    machine: Machine
    rate: float
    batch: int
    runs: int
    times: tuple[float, ...]
    step: float = 0.25
    seed: int = 0


def course_cases(config: Config) -> list[CourseCase]:
    one = config.machine
    return [
        CourseCase(
            Machine.of(config), one.batch_rate, one.rate_batch, one.course_runs, one.course_times
        )
    ]


def run_course(case: CourseCase) -> Outcome:
    """Levels x of the machine and of dxᵢ = 2Kᵢdt + Σgᵢ²/(xᵢ − xⱼ)dt + √2 gᵢdB at the same αt.

    Entries of W start at variance 1/M. The equation starts from the machine's own initial levels;
    its gᵢ² = 4(α/|B|)x²/κ² is that of the linearised noise at the fixed point.
    """
    generator = torch.Generator().manual_seed(case.seed)
    machine, sites = case.machine, case.machine.sites
    shape = case.runs, sites, sites
    weights = torch.empty(shape, dtype=torch.float64).normal_(generator=generator) / sites**0.5
    runs = start_runs(weights, case.batch)
    modes = machine.field.modes.flip(0)  # the largest κ for the smallest x
    rest = machine.rbm.fixed_points(modes)
    strength = (4 * case.rate / case.batch) ** 0.5 * rest / modes
    levels = runs.levels

    def drift(x: Tensor) -> Tensor:
        inside = x.clamp(min=-1.0, max=0.999 * machine.mass_squared)
        return machine.rbm.drift(inside, modes.expand_as(inside))

    learned, equation, before = [], [], 0.0
    for time in case.times:
        runs = machine.train(runs, case.rate, round((time - before) / case.rate), generator)
        levels = evolve_levels(
            levels,
            drift=drift,
            g=strength,
            step=case.step,
            steps=round((time - before) / case.step),
            generator=generator,
        )
        learned.append(runs.levels)
        equation.append(levels)
        before = time
    return {"machine": torch.stack(learned).numpy(), "equation": torch.stack(equation).numpy()}


@dataclass(frozen=True, slots=True)
class NoiseCase:
    """The variance of one update at one |B|; levels move at ``rate``."""

    machine: Machine
    batch: int
    runs: int
    rate: float
    seed: int


def noise_cases(config: Config) -> list[NoiseCase]:
    one = config.machine
    return [
        NoiseCase(Machine.of(config), batch, one.noise_runs, one.batch_rate, seed)
        for seed, batch in enumerate((1, *one.batches))
    ]


def run_noise(case: NoiseCase) -> Outcome:
    """Var of δW/α at fixed W, entry mean; of (δX)ᵢᵢ/α to first order, and of an update's δxᵢ/α."""
    generator = torch.Generator().manual_seed(case.seed)
    machine, small = case.machine, 1e-6
    one = machine.warm(1, 1, generator).weights
    weights = one.expand(case.runs, -1, -1).contiguous()
    runs = start_runs(weights, case.batch, machine=machine.rbm, generator=generator)
    change = (machine.train(runs, small, 1, generator).weights - weights) / small
    squares = (change - change.mean(0)).square().mean((-2, -1)) * case.runs / (case.runs - 1)
    values, basis = torch.linalg.eigh(one[0] @ one[0].mT)
    simple = [0, machine.sites - 1]  # the modes that are not degenerate
    moved = one + case.rate * change
    shift = (torch.linalg.eigvalsh(moved @ moved.mT)[:, simple] - values[simple]) / case.rate
    first_order = change @ one[0].mT + one[0] @ change.mT
    inside = (basis.mT @ first_order @ basis).diagonal(dim1=-2, dim2=-1)
    return {
        "variance": float(squares.mean()),
        "variance_error": float(squares.std() / case.runs**0.5),
        "diagonal": inside.var(0).numpy(),
        "levels": shift.var(0).numpy(),
        "simple": simple,
    }


@dataclass(frozen=True, slots=True)
class GeneralisationCase:
    """Learning from few configurations at one α/|B|."""

    machine: Machine
    ratio: float
    batch: int
    data: int
    runs: int
    settle: float
    seed: int = 0


def generalisation_cases(config: Config) -> list[GeneralisationCase]:
    one = config.machine
    settle = one.settle or 100.0
    return [
        GeneralisationCase(
            Machine.of(config), r, one.rate_batch, one.data, one.generalisation_runs, settle, seed
        )
        for r in one.ratios
        for seed in range(4)
    ]


def run_generalisation(case: GeneralisationCase) -> Outcome:
    """Mean log-likelihood of training data and of the true law, per run; and without noise.

    The positive phase is a mini-batch of the data. The limit α/|B| → 0 is the kernel that has
    learnt the data's own correlator.
    """
    generator = torch.Generator().manual_seed(case.seed)
    machine, truth = case.machine, case.machine.field.correlator
    data = machine.field.sample(case.data, generator=generator)
    target = Target.of_data(data, exact=False)
    rate = case.ratio * case.batch
    kernel = torch.linalg.inv(target.correlator)
    start = machine.rbm.start_at(kernel, machine.sites, count=case.runs, generator=generator)
    runs = start_runs(start, case.batch, machine=machine.rbm, generator=generator)
    runs = machine.train(runs, rate, ceil(case.settle / rate), generator, target)
    likelihood = machine.rbm.log_likelihood
    return {
        "train": likelihood(runs.weights, target.correlator).numpy(),
        "held_out": likelihood(runs.weights, truth).numpy(),
        "train_limit": float(likelihood(start[0], target.correlator)),
        "held_out_limit": float(likelihood(start[0], truth)),
        "best": float(likelihood(machine.warm(1, 1, generator).weights[0], truth)),
    }


REST: Experiment[Config] = Experiment("rest", run_rest, rest_cases)
COURSE: Experiment[Config] = Experiment("course", run_course, course_cases)
NOISE: Experiment[Config] = Experiment("noise", run_noise, noise_cases)
GENERALISATION: Experiment[Config] = Experiment(
    "generalisation", run_generalisation, generalisation_cases
)


def sweep_points(config: Config) -> Iterator[tuple[float, int]]:
    """(α, |B|) of the batch and rate sweeps, without the scaling rule's."""
    one = config.machine
    yield from dict.fromkeys(
        [(one.batch_rate, b) for b in one.batches] + [(r, one.rate_batch) for r in one.rates]
    )
