"""Sizes, grids and horizons of the dynamics: regression on random features and sparse targets."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Features:
    """Regression on random features, Figures 3 and 11.

    Attributes:
        width: k, the number of features and of outputs.
        inputs: d.
        samples: n.
        steps: of the ReLU problem.
        gated_steps: of the SwiGLU problem.
        restart_every: SpecGD starts anew from every such iterate of gradient descent.
        muon_steps: length of Muon's restarts.
        seeds: repetitions, from 0, whose draw order is the document's.
    """

    width: int = 100
    inputs: int = 50
    samples: int = 400
    steps: int = 1000
    gated_steps: int = 400
    restart_every: int = 100
    muon_steps: int = 30
    seeds: int = 5


@dataclass(frozen=True)
class Network:
    """Sparse regression with a four-layer network, Figures 1, 4, 17 and 18.

    Attributes:
        inputs: dimension of x.
        width: of the hidden layers; a gated layer has twice as many outputs.
        samples: n, all in every batch.
        rate: factor of gradient descent's step lengths.
        spectral_rate: the same of SpecGD.
        steps: of gradient descent.
        spectral_steps: of SpecGD.
        every: steps between records of spectra.
        early: further steps at which spectra are recorded.
        seed: of data and weights.
    """

    inputs: int = 128
    width: int = 512
    samples: int = 512
    rate: float = 0.081
    spectral_rate: float = 0.1
    steps: int = 2000
    spectral_steps: int = 2000
    every: int = 25
    early: tuple[int, ...] = (1, 5, 10, 59)
    seed: int = 42


@dataclass(frozen=True)
class Ranks:
    """Nuclear ranks against step and width, Figures 14 and 15, and the gradients' closed forms.

    Attributes:
        widths: k; d = k/2 and n = 2k.
        steps: last step.
        dense: up to here every step is looked at.
        sparse: number of later steps, evenly in the logarithm.
        seeds: repetitions, from 0.
        identity_steps: over which closed forms are compared with the iteration, at k = 100.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    steps: int = 1024
    dense: int = 1024
    sparse: int = 1
    seeds: int = 3
    identity_steps: int = 200


@dataclass(frozen=True)
class Spiked:
    """Spiked models of §3.

    Attributes:
        dimensions: d.
        exponents: pairs (ℓ, u) of the smallest and the largest spike.
        spikes: their number.
        seeds: repetitions.
    """

    dimensions: tuple[int, ...] = (64, 128, 256, 512)
    exponents: tuple[tuple[float, float], ...] = ((1.0, 1.0), (0.75, 1.0))
    spikes: int = 2
    seeds: int = 5


@dataclass(frozen=True)
class Kernel:
    """Second moments of ReLU features.

    Attributes:
        dimensions: d; there are 2d features.
        seeds: repetitions.
        samples: of the Monte Carlo of E ReLU(g₁)ReLU(g₂).
    """

    dimensions: tuple[int, ...] = (100, 200, 400, 800)
    seeds: int = 5
    samples: int = 1_000_000


@dataclass(frozen=True)
class Dial:
    """Problems A = I + λ11ᵀ, and stable rank against the number of columns.

    Attributes:
        size: of A; random features are as many, from half as many inputs.
        heights: λ.
        steps: of each course.
        columns: of random features.
        seeds: repetitions; of the columns ``column_seeds``.
    """

    size: int = 100
    heights: tuple[float, ...] = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.09, 0.12)
    steps: int = 100
    columns: tuple[int, ...] = (50, 100, 200, 400, 800, 1600)
    seeds: int = 5
    column_seeds: int = 60


@dataclass(frozen=True)
class Dynamics:
    """Figures 1, 3, 4, 11, 14–18 and §3.

    Attributes:
        features: Figures 3 and 11.
        sparse: Figures 1 and 4.
        batch_sizes: Figure 17; the document's are the first four.
        batch_seeds: its repetitions; the first is the document's.
        gated: Figure 18a.
        gated_large: Figure 18b.
        ranks: Figures 14 and 15.
        spiked: Theorems 3.5–3.12.
        kernel: Lemma 3.1 – Theorem 3.4, Theorem 3.7, Figure 16.
        dial: what the stable rank depends on.
    """

    features: Features = Features()
    sparse: Network = Network()
    batch_sizes: tuple[int, ...] = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
    batch_seeds: int = 5
    gated: Network = Network(rate=0.01, spectral_rate=0.025, steps=400, spectral_steps=400)
    gated_large: Network = Network(
        samples=8196, rate=0.0035, spectral_rate=0.0025, steps=400, spectral_steps=400
    )
    ranks: Ranks = Ranks()
    spiked: Spiked = Spiked()
    kernel: Kernel = Kernel()
    dial: Dial = Dial()


DOCUMENT = Dynamics()

PAPER = replace(
    DOCUMENT,
    features=Features(restart_every=200),
    sparse=Network(steps=500, spectral_steps=200),
    gated=replace(DOCUMENT.gated, steps=40, spectral_steps=40),
    gated_large=replace(
        DOCUMENT.gated_large, width=256, samples=4096, steps=100, spectral_steps=100
    ),
    ranks=Ranks(dense=8, sparse=40),
)

QUICK = replace(
    PAPER,
    features=Features(restart_every=500, seeds=2),
    sparse=Network(steps=60, spectral_steps=50),
    batch_sizes=(128, 256, 512, 1024, 2048),
    batch_seeds=3,
    gated=replace(DOCUMENT.gated, width=64, steps=100, spectral_steps=100),
    gated_large=replace(
        DOCUMENT.gated_large, width=64, samples=1024, steps=100, spectral_steps=100
    ),
    ranks=Ranks(widths=(32, 64, 128), steps=512, dense=4, sparse=15, seeds=3, identity_steps=50),
    spiked=Spiked(dimensions=(64, 128, 256), seeds=3),
    kernel=Kernel(dimensions=(50, 100, 200), seeds=3, samples=200_000),
    dial=Dial(
        size=50,
        heights=(0.0, 0.03, 0.12),
        steps=50,
        columns=(50, 200, 800),
        seeds=3,
        column_seeds=3,
    ),
)

THINNED = {
    "quick": (
        "Figures 3 and 11: 2 seeds; restarts from every 500th iterate.",
        "Figures 1 and 4: 60 steps of GD and 50 of SpecGD instead of 2,000.",
        "Figure 18: width 64 instead of 512, 100 steps instead of 400; n = 1,024 instead of 8,196; "
        "its claims are undecided there.",
    ),
    "paper": (
        "Figures 3 and 11: restarts from every 200th iterate instead of every 100th.",
        "Figures 1 and 4: 500 steps of GD and 200 of SpecGD instead of 2,000 "
        "(dynamics.sparse.steps, dynamics.sparse.spectral_steps).",
        "Figure 18(a): 40 steps instead of 400 (dynamics.gated.steps and spectral_steps).",
        "Figure 18(b): width 256 instead of 512, n = 4,096 instead of 8,196, 100 steps instead of "
        "400 (dynamics.gated_large); its claims are undecided there.",
    ),
}
