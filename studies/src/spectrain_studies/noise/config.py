"""Settings of the noise study; the defaults are the document's and its reference program's."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Simulations:
    """Gradients of known signal and noise.

    Attributes:
        rows: m.
        columns: n.
        rank: directions of the signal, σ_i = ratioⁱ.
        ratio: of neighbouring singular values.
        replicas: R.
        left: a, strength of left noise in proportion to the signal.
        right: b, of right noise.
        additive: s, standard deviation of an entry of additive noise.
        seeds: independent repetitions.
        datasets: data sets of every kind of noise: 11 right ones of 11 are the fewest that show a
            share above 0.8.
        growth: numbers of replicas at which the plateau is followed.
        levels: singular values of the isolated direction.
    """

    rows: int = 48
    columns: int = 64
    rank: int = 8
    ratio: float = 0.75
    replicas: int = 64
    left: float = 0.03
    right: float = 0.02
    additive: float = 0.012
    seeds: int = 20
    datasets: int = 20
    growth: tuple[int, ...] = (4, 8, 16, 32, 64)
    levels: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, kw_only=True)
class Perturbations:
    """Small matrices for perturbation theory, many replicas at once.

    Attributes:
        rows: m.
        columns: n.
        values: singular values of the signal, well separated.
        close: others, of which two are close.
        strength: ε.
        replicas: R.
        seeds: independent repetitions.
    """

    rows: int = 14
    columns: int = 18
    values: tuple[float, ...] = (10.0, 7.0, 4.5, 2.5, 1.0)
    close: tuple[float, ...] = (10.0, 9.0, 5.0, 2.5, 1.0)
    strength: float = 0.01
    replicas: int = 20_000
    seeds: int = 5


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Simulated data sets whose intervals are held against the truth.

    Attributes:
        rows: m.
        columns: n.
        directions: k.
        replicas: R of each data set.
        batches: pieces of work.
        datasets: data sets of each.
        truth: replicas from which the truth of directions is taken.
    """

    rows: int = 40
    columns: int = 30
    directions: int = 4
    replicas: int = 8
    batches: int = 10
    datasets: int = 50
    truth: int = 1024


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """The GPT whose replicas are looked at. The reference program's has 16 layers of width 1024.

    Attributes:
        layers: transformer blocks.
        width: of the residual stream.
        heads: attention heads.
        context: tokens a window.
        batch: windows of a replica.
        replicas: R.
        checkpoints: steps at which replicas are taken.
        learning_rate: of AdamW between them.
        directions: k.
        seeds: independent trainings.
    """

    layers: int = 16
    width: int = 1024
    heads: int = 16
    context: int = 1024
    batch: int = 8
    replicas: int = 64
    checkpoints: tuple[int, ...] = (0, 100, 1000, 5000)
    learning_rate: float = 3e-3
    directions: int = 8
    seeds: int = 5


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One source of noise at a time, on the GPT.

    Attributes:
        step: training steps before.
        replicas: R with each source.
        seeds: independent trainings.
    """

    step: int = 5000
    replicas: int = 64
    seeds: int = 8


@dataclass(frozen=True, kw_only=True)
class Race:
    """Echo filter against Muon and AdamW at equal numbers of gradient evaluations.

    Attributes:
        layers: transformer blocks.
        width: of the residual stream.
        heads: attention heads.
        context: tokens a window.
        batch: windows of a microbatch.
        accumulation: microbatches of a step, the replicas of the echo filter.
        steps: optimizer steps.
        spectral_rates: learning rates tried for Muon and the echo filter.
        adamw_rates: learning rates tried for AdamW.
        seeds: independent trainings of each arm and rate.
    """

    layers: int = 2
    width: int = 32
    heads: int = 4
    context: int = 32
    batch: int = 4
    accumulation: int = 4
    steps: int = 200
    spectral_rates: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    adamw_rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    seeds: int = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of the study."""

    simulations: Simulations = field(default_factory=Simulations)
    perturbations: Perturbations = field(default_factory=Perturbations)
    coverage: Coverage = field(default_factory=Coverage)
    transformer: Transformer = field(default_factory=Transformer)
    sources: Sources = field(default_factory=Sources)
    race: Race = field(default_factory=Race)


_GPT = {"layers": 2, "width": 64, "heads": 4, "context": 64, "batch": 16, "replicas": 16}

SCALES = {
    "document": Config(),
    "paper": Config(
        simulations=Simulations(replicas=32, seeds=10),
        perturbations=Perturbations(replicas=8000),
        coverage=Coverage(truth=512),
        transformer=Transformer(**_GPT, checkpoints=(0, 50, 150, 300), seeds=5),
        sources=Sources(step=100, replicas=8),
        race=Race(steps=80),
    ),
    "quick": Config(
        simulations=Simulations(replicas=12, seeds=3, datasets=3, growth=(4, 8, 16)),
        perturbations=Perturbations(replicas=4000, seeds=3),
        coverage=Coverage(batches=8, truth=256),
        transformer=Transformer(
            **{**_GPT, "width": 32, "context": 32, "batch": 8, "replicas": 8},
            checkpoints=(0, 40),
            seeds=2,
        ),
        sources=Sources(step=40, replicas=8, seeds=2),
        race=Race(steps=20, seeds=2, spectral_rates=(0.03,), adamw_rates=(0.01,)),
    ),
}

_SMALL = (
    "GPT of 2 layers instead of 16, width 64 instead of 1024, context 64 instead of 1024",
    "16 replicas of 16 windows instead of 64",
    "300 training steps instead of thousands",
    "one source of noise at a time: 8 replicas after 100 steps",
    "optimizers: 80 steps of a GPT of 31,000 parameters, four or five learning rates an arm",
    "32 replicas in simulations instead of 64; 10 seeds instead of 20 but for the kinds of noise",
)
THINNED = {
    "paper": _SMALL,
    "quick": (
        "GPT of 2 layers instead of 16, width 32 instead of 1024, context 32 instead of 1024",
        "8 replicas of 8 windows instead of 64, 40 training steps, 2 seeds",
        "12 replicas and 3 seeds in simulations instead of 64 and 20",
        "20 steps, one learning rate and 2 seeds of each optimizer",
    ),
}
