"""What the study runs: sizes, grids and horizons, at each scale.

The document states d = 10, η = λ = 0.01 and B = 16 for its Figure 1 and nothing of N, the target,
the initial weights, the number of steps or of seeds, nor (but for a few values) its grids. Where it
is silent the defaults are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sweep:
    """A sweep of the minimal model.

    Attributes:
        values: of the swept quantity.
        relaxations: length of the runs, in relaxation times 1/(2ηλ) of ‖W‖².
        records: moments at which norms and SNR are taken, evenly spaced.
    """

    values: tuple[float, ...]
    relaxations: float = 6.0
    records: int = 60


@dataclass(frozen=True)
class Twins:
    """Noise twins of the optimizers.

    Attributes:
        shapes: of the matrices.
        twins: independent runs.
        learning_rate: η.
        weight_decay: λ.
        relaxations: length, in relaxation times.
        lags: longest lag of the measured autocorrelation.
    """

    shapes: tuple[tuple[int, int], ...] = ((32, 32), (64, 16))
    twins: int = 64
    learning_rate: float = 0.05
    weight_decay: float = 0.1
    relaxations: float = 6.0
    lags: int = 200


@dataclass(frozen=True)
class Tuning:
    """Search for (η, λ): one pair for all parameters, or one pair a kind of parameter.

    Attributes:
        searches: independent repetitions of the whole comparison.
        trials: of each side.
        tuning_seeds: of data and batches on which trials are compared.
        test_seeds: others, on which the chosen trial is judged.
        steps: length of a run.
        rates: range of η.
        decays: range of λ.
    """

    searches: int = 10
    trials: int = 24
    tuning_seeds: int = 5
    test_seeds: int = 10
    steps: int = 3000
    rates: tuple[float, float] = (1e-3, 1e-1)
    decays: tuple[float, float] = (1e-4, 1.0)


@dataclass(frozen=True)
class Transformer:
    """The GPT with multipliers on every linear layer of its blocks.

    Attributes:
        seeds: repetitions.
        layers: transformer blocks.
        width: of the residual stream.
        context: tokens a window.
        batch_size: windows a step.
        steps: of the runs that look for the equilibrium.
        learning_rate: of AdamW there.
        muon_learning_rate: of Muon there.
        weight_decay: of matrices there.
        tuning: search on the GPT.
    """

    seeds: int = 5
    layers: int = 2
    width: int = 48
    context: int = 32
    batch_size: int = 16
    steps: int = 1500
    learning_rate: float = 4e-3
    muon_learning_rate: float = 2e-2
    weight_decay: float = 0.5
    tuning: Tuning = field(
        default_factory=lambda: Tuning(
            searches=5,
            trials=10,
            tuning_seeds=1,
            test_seeds=2,
            steps=250,
            rates=(5e-4, 5e-2),
            decays=(1e-3, 3.0),
        )
    )


@dataclass(frozen=True)
class Planted:
    """Watched runs with one matrix of pure noise and one of pure signal.

    Attributes:
        seeds: runs.
        steps: of each.
    """

    seeds: int = 100
    steps: int = 600


@dataclass(frozen=True)
class Config:
    """The study.

    Attributes:
        samples: N.
        label_noise: standard deviation of the labels' noise.
        noisier: the same, of the variant with much label noise.
        seeds: of every sweep but that over batch sizes.
        batch_seeds: of that one.
        dimension: d.
        learning_rate: η.
        weight_decay: λ.
        batch_size: B.
        dynamics: Figure 1; its value is ignored.
        batches: Figure 2.
        decays: Figure 3.
        undecayed_steps: horizon of λ = 0 in Figure 3, where there is no relaxation time.
        dimensions: Figure 4.
        balance: factors by which √(η/λ) is multiplied at fixed ηλ.
        twins: noise twins.
        tuning: on the minimal model.
        transformer: the GPT.
        planted: runs that the finding must tell apart.
    """

    samples: int = 4096
    label_noise: float = 0.1
    noisier: float = 1.0
    seeds: int = 10
    batch_seeds: int = 24
    dimension: int = 10
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    batch_size: int = 16
    dynamics: Sweep = Sweep((0.0,))
    batches: Sweep = Sweep((4, 8, 16, 32, 64, 128, 256, 512, 1024), records=30)
    decays: Sweep = Sweep((0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1), relaxations=5.0, records=30)
    undecayed_steps: int = 60_000
    dimensions: Sweep = Sweep((5, 10, 20, 40, 80, 160), relaxations=5.0, records=20)
    balance: Sweep = Sweep((0.25, 0.5, 1.0, 2.0, 4.0), records=20)
    twins: Twins = Twins()
    tuning: Tuning = Tuning()
    transformer: Transformer = Transformer()
    planted: Planted = Planted()


PAPER = Config()

QUICK = Config(
    samples=1024,
    seeds=5,
    batch_seeds=5,
    dynamics=Sweep((0.0,), relaxations=2.0, records=20),
    batches=Sweep((4, 16, 64, 256), relaxations=1.0, records=10),
    decays=Sweep((0.0, 0.01, 0.05), relaxations=1.0, records=10),
    undecayed_steps=5000,
    dimensions=Sweep((5, 10, 20), relaxations=1.0, records=10),
    balance=Sweep((0.5, 1.0, 2.0), relaxations=1.0, records=10),
    twins=Twins(shapes=((16, 16),), lags=100),
    tuning=Tuning(searches=5, trials=8, tuning_seeds=2, test_seeds=4, steps=300),
    transformer=Transformer(
        seeds=2,
        width=32,
        steps=150,
        tuning=Tuning(
            searches=2,
            trials=2,
            tuning_seeds=1,
            test_seeds=1,
            steps=40,
            rates=(5e-4, 5e-2),
            decays=(1e-3, 3.0),
        ),
    ),
    planted=Planted(seeds=3, steps=400),
)

THINNED = {
    "quick": (
        "Runs last 1 to 2 relaxation times instead of 5 to 6: claims about an equilibrium are "
        "undecided there.",
        "N = 1,024 and 5 seeds; grids of 3 or 4 values; the GPT is tuned with 2 trials.",
    ),
    "paper": (
        "The document states d = 10, η = λ = 0.01, B = 16 and nothing of N, target, seeds, "
        "steps and grids; nothing that it states is thinned.",
        "The GPT (2 layers, width 48) is not in the document; its search has 10 trials a side.",
    ),
}
