"""What the study of rank runs: models, arms, sizes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spectrain_studies.rank.health_predictor.plan import HealthPlan


@dataclass(frozen=True)
class Task:
    """A model and the data that it learns.

    Attributes:
        kind: ``gpt``, ``lstm``, ``ngram`` or ``bag`` on text; ``mlp``, ``linear``, ``conv``,
            ``gated`` or ``mixer`` on images; the others learn a rule from fresh draws, see
            :func:`spectrain_studies.rank.data.taught`.
        layers: transformer blocks, hidden layers or convolutions.
        width: features of the residual stream, of a hidden layer, or channels.
        batch: sequences or images a step.
        context: tokens a sequence.
        text: of the GPT; see :func:`spectrain.training.corpus.load_corpus`.
        characters: how much of it.
        images: of the others; see :func:`spectrain_studies.models.images.load_images`.
        examples: training images.
        auxiliary: root mean square of the AdamW steps of embedding, head and vectors.
    """

    kind: str
    layers: int
    width: int
    batch: int
    context: int = 32
    text: str = "python"
    characters: int = 300_000
    images: str = "fashion-mnist"
    examples: int = 2_000
    auxiliary: float = 5e-3


@dataclass(frozen=True)
class Training:
    """How an arm is trained: a sweep over step sizes, then seeds of its own at the best.

    Attributes:
        steps: of every run.
        samples: steps at which spectra and held-out losses are taken.
        seeds: of the runs that are compared.
        tuning_seeds: of the sweep; others than those.
        sizes: the sweep: root mean square of an entry of the first step, the same for every arm; 0
            stands still.
    """

    steps: int = 60
    samples: int = 9
    seeds: int = 60
    tuning_seeds: int = 2
    sizes: tuple[float, ...] = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


@dataclass(frozen=True)
class Interventions:
    """Numbers of the document's Experiment 3, and of what is added to it.

    Attributes:
        keep: singular values that ``low_rank`` keeps: the document's 10.
        keep_few: the same as a share of full rank, since 10 is much in a small matrix.
        equal_share: share of full rank that is equalized where the rest is dropped.
        snr: power ratio at which noise is added.
        lag: steps between a spectrum and the step it is swapped into.
    """

    keep: int = 10
    keep_few: float = 1 / 16
    equal_share: float = 1 / 4
    snr: float = 1.0
    lag: int = 10


@dataclass(frozen=True)
class Probing:
    """Experiments 2, 4 and 5, at weights that one optimizer reached.

    Attributes:
        seeds: runs that are probed.
        steps: of those runs.
        size: root mean square of an entry of the first step.
        stages: when they are probed, in shares of the run.
        iterations: numbers of Newton-Schulz steps.
        minibatches: of Experiment 5: the document's 100.
        lengths: trial lengths of the line search, each twice the one before.
    """

    seeds: int = 8
    steps: int = 80
    size: float = 5e-3
    stages: tuple[float, ...] = (0.02, 0.1, 0.3, 0.6, 1.0)
    iterations: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    minibatches: int = 100
    lengths: int = 12


@dataclass(frozen=True)
class RankConfig:
    """The whole study.

    Attributes:
        models: names of the models that are trained, of the three below.
        deep: the GPT on which trends with depth are sought.
        image_seeds: runs that are compared on models that learn images; on a GPT
            ``training.seeds``.
        mlp_seeds: the same on the MLP, where differences are the smallest.
        health: set-ups of many kinds, on which AdamW and Muon are compared.
    """

    models: tuple[str, ...] = ("gpt", "mlp", "conv")
    gpt: Task = Task("gpt", layers=2, width=32, batch=4)
    mlp: Task = Task("mlp", layers=3, width=48, batch=32)
    conv: Task = Task("conv", layers=3, width=16, batch=32)
    deep: Task = Task("gpt", layers=8, width=32, batch=4)
    training: Training = Training()
    interventions: Interventions = Interventions()
    probing: Probing = Probing()
    image_seeds: int = 64
    mlp_seeds: int = 250
    health: HealthPlan = field(default_factory=HealthPlan)

    def tasks(self) -> list[Task]:
        """The models' tasks."""
        tasks: list[Task] = [getattr(self, name) for name in self.models]
        return tasks

    def training_of(self, task: Task) -> Training:
        """How arms are trained on a task."""
        if task.kind == "gpt":
            return self.training
        return replace(
            self.training, seeds=self.mlp_seeds if task.kind == "mlp" else self.image_seeds
        )


PAPER = RankConfig()

QUICK = RankConfig(
    gpt=Task("gpt", layers=1, width=16, batch=4, context=16, characters=50_000),
    mlp=Task("mlp", layers=2, width=24, batch=32, examples=600),
    conv=Task("conv", layers=2, width=8, batch=32, examples=600),
    deep=Task("gpt", layers=4, width=16, batch=4, context=16, characters=50_000),
    training=Training(
        steps=30, samples=10, seeds=3, tuning_seeds=1, sizes=(1e-3, 3e-3, 1e-2, 3e-2)
    ),
    image_seeds=3,
    mlp_seeds=3,
    probing=Probing(seeds=3, steps=30, stages=(0.1, 1.0), iterations=(1, 5, 10), lengths=8),
    health=HealthPlan(
        shapes=((1, 24, 16), (2, 16, 32)), steps=40, sizes=(3e-3, 1e-2, 3e-2, 1e-1), seeds=2
    ),
)

THINNED = {
    "paper": (
        "models: the document names none; here a GPT of 2 layers and width 32 (8 layers for trends "
        "with depth), an MLP and a convolutional net on images of 14 × 14",
        "spectra at training.samples steps instead of every step: set it to training.steps",
        "Newton-Schulz, layers and coherence at weights that Muon or AdamW reached at one fixed "
        "step size (probing.size), since no arms are compared there",
    ),
    "quick": (
        "as at scale paper, with models half as wide, a quarter of the steps and 3 seeds: most "
        "comparisons are undecided there",
    ),
}
