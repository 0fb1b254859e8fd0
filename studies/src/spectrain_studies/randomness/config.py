"""Settings of the study; the defaults are the numbers of the document and of its authors' code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """The Gaussian machine that learns a lattice field.

    Attributes:
        sites, mass_squared, field_mass_squared, sweeps: N, μ², m² and Gibbs sweeps an update.
        runs: independent runs a point.
        updates: updates before the weights are read.
        settle: where positive, read after ``settle``/α updates from a start at the target instead.
        snapshots: how often they are read.
        between: α times the updates between two readings.
        batches, batch_rate: the batch sweep and its α.
        rates, rate_batch: the sweep of learning rates and its |B|.
        equal: (α, |B|) at one α/|B|: the scaling rule.
        course_runs, course_times: the way from the initial law to the target, times in units of αt.
        data: configurations that the generalisation machines learn from.
        ratios: α/|B| of the generalisation machines, at |B| = ``rate_batch``.
        noise_runs: runs behind the variance of one update.
    """

    sites: int = 10
    mass_squared: float = 9.0
    field_mass_squared: float = 4.0
    sweeps: int = 3
    runs: int = 7500
    updates: int = 100_000
    settle: float = 0.0
    snapshots: int = 1
    between: float = 25.0
    batches: tuple[int, ...] = (4, 8, 16, 32, 64)
    batch_rate: float = 0.1
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1)
    rate_batch: int = 16
    equal: tuple[tuple[float, int], ...] = ((0.025, 4), (0.05, 8), (0.2, 32), (0.4, 64), (0.8, 128))
    course_runs: int = 7500
    course_times: tuple[float, ...] = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    data: int = 60
    ratios: tuple[float, ...] = (0.0004, 0.002, 0.00625, 0.0125)
    generalisation_runs: int = 1000
    noise_runs: int = 20_000


@dataclass(frozen=True, slots=True)
class ModeConfig:
    """One mode: Fokker-Planck against simulation.

    Attributes:
        mass_squared, target: μ² and κ.
        strengths: g², per learning time.
        times: at which densities are compared.
        start: mean and deviation of the level at time zero.
        runs: simulated levels.
        batch: |B| of the machine with one unit, whose α follows from g².
    """

    mass_squared: float = 9.0
    target: float = 4.0
    strengths: tuple[float, ...] = (0.01, 0.001)
    times: tuple[float, ...] = (2.0, 5.0, 10.0, 40.0)
    start: tuple[float, float] = (1.5, 0.15)
    runs: int = 20_000
    batch: int = 16


@dataclass(frozen=True, slots=True)
class LinearConfig:
    """Teacher and student: W_t = 2·1, 2 × 2.

    Attributes:
        runs: students a point.
        updates: where positive, so many, else ``settle``/α of them.
        base: (α, |B|, ε) around which each is swept.
        small_rates: further α, below those of the document.
    """

    runs: int = 3000
    updates: int = 5000
    settle: float = 0.0
    base: tuple[float, int, float] = (0.1, 16, 0.1)
    batches: tuple[int, ...] = (4, 8, 16, 32, 64)
    rates: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    noises: tuple[float, ...] = (0.05, 0.06, 0.07, 0.08, 0.09, 0.1)
    small_rates: tuple[float, ...] = (0.02, 0.04, 0.06, 0.08)


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The machine that learns images.

    Attributes:
        source: what :func:`spectrain_studies.models.images.load_images` takes.
        count, held_out: images to learn from and to test on.
        mass_squared: μ² of the document.
        masses: a sweep of μ², the largest κ being infinite.
        hidden: numbers of hidden units.
        batch, updates: of the machine that is trained by contrastive divergence.
        stability: α in units of the largest stable one, κ_min²/μ².
        drawn: generated samples for each number of hidden units.
    """

    source: str = "mnist"
    count: int = 60_000
    held_out: int = 10_000
    mass_squared: float = 100.0
    masses: tuple[float, ...] = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e8)
    hidden: tuple[int, ...] = (784, 225, 64, 36, 16, 4)
    batch: int = 128
    updates: int = 46_900
    stability: float = 0.5
    drawn: int = 8


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """The character model on Shakespeare.

    Attributes:
        text: what :func:`spectrain.training.corpus.load_corpus` takes.
        seeds: networks of the first optimizer.
        optimizers: with their learning rates; the document's is AdamW at PyTorch's decay.
        batch, context, width, layers, heads: sizes.
        readings: iterations at which spectra are read; training ends at the last.
        evaluation: batches of a held-out loss.
        finetune: steps after the bulk was removed.
        other_seeds, other_readings: of all optimizers but the first.
    """

    text: str = "shakespeare"
    seeds: int = 20
    optimizers: tuple[tuple[str, float], ...] = (("adamw", 1e-3), ("sgd", 0.1), ("muon", 0.02))
    other_seeds: int = 20
    batch: int = 16
    context: int = 32
    width: int = 64
    layers: int = 4
    heads: int = 4
    readings: tuple[int, ...] = (0, 250, 500, 1000, 2000, 3000, 4000, 5000)
    evaluation: int = 100
    finetune: int = 250
    other_readings: tuple[int, ...] = (0, 250, 500, 1000, 2000, 3000, 4000, 5000)


@dataclass(frozen=True, slots=True)
class LawConfig:
    """Laws and flows of random matrices.

    Attributes:
        matrices: random matrices behind false spikes and the initial law.
        spectra: bulk-and-tail matrices behind the coverage of the fit.
        planted: matrices behind the power.
        levels: runs of Dyson's Brownian motion.
        replicates: simulated matrices behind an error.
    """

    matrices: int = 4000
    spectra: int = 1200
    planted: int = 300
    levels: int = 2000
    replicates: int = 99


@dataclass(frozen=True, slots=True)
class Config:
    """All settings."""

    machine: MachineConfig = field(default_factory=MachineConfig)
    mode: ModeConfig = field(default_factory=ModeConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    law: LawConfig = field(default_factory=LawConfig)


DOCUMENT = Config()

PAPER = Config(
    machine=replace(
        DOCUMENT.machine,
        runs=750,
        rates=(0.02, 0.04, 0.06, 0.08, 0.1),
        settle=100.0,
        snapshots=4,
        equal=((0.05, 8), (0.2, 32), (0.4, 64), (0.8, 128)),
        course_runs=150,
        ratios=(0.0015625, 0.003125, 0.00625, 0.0125, 0.025),
        generalisation_runs=100,
        noise_runs=10_000,
    ),
    mode=replace(DOCUMENT.mode, runs=8000),
    linear=replace(DOCUMENT.linear, runs=12_000, settle=12.0, updates=0),
    image=replace(DOCUMENT.image, updates=100, masses=(*DOCUMENT.image.masses, 1e10, 1e12)),
    transformer=replace(
        DOCUMENT.transformer,
        seeds=3,
        other_seeds=2,
        evaluation=16,
        finetune=100,
    ),
)

QUICK = Config(
    machine=replace(
        PAPER.machine,
        runs=100,
        snapshots=4,
        settle=60.0,
        between=20.0,
        batches=(8, 16, 32),
        rates=(0.04, 0.1),
        equal=((0.2, 32), (0.8, 128)),
        course_runs=60,
        course_times=(0.0, 3.0, 30.0, 150.0),
        ratios=(0.002, 0.0125),
        generalisation_runs=60,
        noise_runs=4000,
    ),
    mode=replace(DOCUMENT.mode, runs=4000),
    linear=replace(
        PAPER.linear,
        runs=1000,
        batches=(4, 16, 64),
        rates=(0.1, 0.5),
        noises=(0.05, 0.1),
        small_rates=(0.02,),
    ),
    image=replace(
        DOCUMENT.image,
        source="digits",
        count=1500,
        held_out=297,
        hidden=(64, 16, 4),
        updates=3000,
    ),
    transformer=replace(
        PAPER.transformer,
        seeds=1,
        optimizers=(("adamw", 1e-3),),
        readings=(0, 250, 1000),
        evaluation=10,
        finetune=50,
    ),
    law=replace(DOCUMENT.law, matrices=2000, spectra=100, planted=60, levels=1000),
)

THINNED = {
    "paper": (
        "RBM: 750 runs read four times instead of 7,500 read once; five learning rates instead of "
        "six; from 100/α updates on (five relaxation times of the slowest pair) and a start at the "
        "target, instead of after 100,000; stationarity is measured. Undo: machine.runs, "
        "machine.rates, machine.settle=0.",
        "RBM: three Gibbs sweeps are drawn as one Gaussian step of the same law.",
        "Teacher and student: 12/α updates from a start at the teacher instead of 5,000; data and "
        "noise drawn anew for every run.",
        "Images: 100 updates of contrastive divergence; what follows later is taken from the "
        "exact likelihood.",
        "Transformer: three seeds of AdamW (4 heads a layer and role each) instead of 20; two of "
        "SGD and of Muon, which the document does not use. Undo: transformer.seeds, "
        "transformer.other_seeds.",
    ),
    "quick": (
        "As at the paper scale with fewer points, runs and updates; the transformer trains for "
        "1,000 iterations, one seed, AdamW only.",
        "Images: scikit-learn's 1,797 digits of 8 × 8, which come with the laboratory, instead of "
        "MNIST's of 28 × 28; 3,000 updates. Undo: image.source, image.count, image.held_out.",
    ),
}
