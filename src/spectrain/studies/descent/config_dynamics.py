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
        seeds: repetitions, from 0, whose draw order is the document's.
    """

    width: int = 100
    inputs: int = 50
    samples: int = 400
    steps: int = 1000
    gated_steps: int = 400
    restart_every: int = 100
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
class Dynamics:
    """Figures 1, 3, 4, 11, 14–18 and §3.

    Attributes:
        features: Figures 3 and 11.
        sparse: Figures 1 and 4.
        batch_sizes: Figure 17.
        gated: Figure 18a.
        gated_large: Figure 18b.
    """

    features: Features = Features()
    sparse: Network = Network()
    batch_sizes: tuple[int, ...] = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
    gated: Network = Network(rate=0.01, spectral_rate=0.025, steps=400, spectral_steps=400)
    gated_large: Network = Network(
        samples=8196, rate=0.0035, spectral_rate=0.0025, steps=400, spectral_steps=400
    )


DOCUMENT = Dynamics()

PAPER = replace(
    DOCUMENT,
    features=Features(restart_every=200),
    sparse=Network(steps=500, spectral_steps=200),
    gated=replace(DOCUMENT.gated, width=256, steps=200, spectral_steps=200),
    gated_large=replace(
        DOCUMENT.gated_large, width=256, samples=4096, steps=100, spectral_steps=100
    ),
)

QUICK = replace(
    PAPER,
    features=Features(restart_every=500, seeds=2),
    sparse=Network(steps=100, spectral_steps=50),
    batch_sizes=(128, 512, 2048, 8192),
    gated=replace(DOCUMENT.gated, width=64, steps=100, spectral_steps=100),
    gated_large=replace(
        DOCUMENT.gated_large, width=64, samples=1024, steps=100, spectral_steps=100
    ),
)

THINNED = {
    "quick": (
        "Figures 3 and 11: 2 seeds; restarts from every 500th iterate.",
        "Figures 1 and 4: 100 steps of GD and 50 of SpecGD instead of 2,000.",
        "Figure 17: batches up to 8,192 instead of 65,536.",
        "Figure 18: width 64 instead of 512, 100 steps instead of 400; n = 1,024 instead of 8,196.",
    ),
    "paper": (
        "Figures 3 and 11: restarts from every 200th iterate instead of every 100th.",
        "Figures 1 and 4: 500 steps of GD and 200 of SpecGD instead of 2,000 "
        "(dynamics.sparse.steps, dynamics.sparse.spectral_steps).",
        "Figure 18: width 256 instead of 512, 200 and 100 steps instead of 400; in its second "
        "panel n = 4,096 instead of 8,196 (dynamics.gated, dynamics.gated_large).",
    ),
}
