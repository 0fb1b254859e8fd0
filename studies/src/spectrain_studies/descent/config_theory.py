"""Sizes, grids and repetitions of the numbered results of §2, §4 and the appendices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """Stable ranks of samples against effective ranks of populations, §2 and Appendix B.

    Attributes:
        dimensions: d, or the number m of features.
        samples: n.
        repeats: independent samples a seed, out of which quantiles are taken; 32/d times as many
            below 32 dimensions.
        path: n of the longest sample, along which Lemma 2.1 is followed.
        trials: samples of the law that is rare in its spike, Theorem 2.2.
        failures: c of Theorem 2.2.
        draws: Gaussian draws of the table in Figure 12.
        seeds: repetitions, from 0; four times as many growing samples.
    """

    dimensions: tuple[int, ...] = (4, 8, 16, 32, 64)
    samples: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096)
    repeats: int = 100
    path: int = 2**17
    trials: int = 400
    failures: tuple[float, ...] = (0.05, 0.1, 0.2)
    draws: int = 1_000_000
    seeds: int = 5


@dataclass(frozen=True)
class Layers:
    """Post-activations of one and of many layers, Theorems 2.6–2.8.

    Attributes:
        rows: m, the number of features.
        inputs: d.
        samples: n.
        repeats: independent inputs, or last layers, a seed.
        small: draws of small layers that the probability of Theorem 2.7 is held against.
        depth: deepest layer of squares that is sampled.
        width: of those networks.
        seeds: repetitions, from 0.
    """

    rows: int = 64
    inputs: int = 32
    samples: tuple[int, ...] = (64, 128, 256, 512)
    repeats: int = 200
    small: int = 100_000
    depth: int = 6
    width: int = 64
    seeds: int = 5


@dataclass(frozen=True)
class Block:
    """Embeddings and transformer blocks at their initialisation, §2.2.

    Attributes:
        widths: d, over which exponents are fitted.
        width: d of the blocks.
        expansion: k/d of the MLP.
        tokens: n.
        vocabulary: V of the drawn tokens.
        zipf: exponent of their frequencies.
        layers: L.
        delta: δ of Proposition 2.14, below ¼.
        repeats: draws of a lemma's Gaussian matrix a seed; five times as many for its exponent.
        stacks: independent stacks of blocks: 59 show that something happens in at most 5 %.
        seeds: other repetitions, from 0.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    width: int = 256
    expansion: int = 4
    tokens: int = 256
    vocabulary: int = 50_257
    zipf: float = 0.86
    layers: int = 12
    delta: float = 0.24
    repeats: int = 30
    stacks: int = 60
    seeds: int = 5


@dataclass(frozen=True)
class Layered:
    """Curvature of layered networks and the steps that follow from it, §1.2 and §4.

    Attributes:
        depths: L.
        width: of every layer.
        samples: n, over which exponents are fitted.
        directions: random directions a network, besides the leading one of its Hessian.
        rounds: of the power iteration that finds that one.
        steps: of gradient descent along which one-step decreases are measured.
        sizes: widths and lengths of the attention whose derivative is bounded.
        draws: random matrices and scalars on which an inequality is tried.
        seeds: repetitions, from 0.
        sample_seeds: the same where n varies.
        attention_seeds: of attention.
    """

    depths: tuple[int, ...] = (1, 2, 3, 4)
    width: int = 16
    samples: tuple[int, ...] = (16, 64, 256, 1024)
    directions: int = 10
    rounds: int = 30
    steps: int = 100
    sizes: tuple[int, ...] = (32, 64, 128, 256)
    draws: int = 2000
    seeds: int = 5
    sample_seeds: int = 12
    attention_seeds: int = 80


@dataclass(frozen=True)
class Spike:
    """The spike that the mean of the features makes, §1.2.2.

    Attributes:
        widths: k; d = k/2 inputs and n = 4k samples, the proportions of Figure 3.
        seeds: repetitions, from 0.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    seeds: int = 12


@dataclass(frozen=True)
class Theory:
    """The numbered results outside §3.

    Attributes:
        sampling: from samples to the population.
        layers: post-activations of feedforward networks.
        block: transformer blocks.
        layered: curvature and one-step guarantees.
        spike: the mean-induced spike.
    """

    sampling: Sampling = Sampling()
    layers: Layers = Layers()
    block: Block = Block()
    layered: Layered = Layered()
    spike: Spike = Spike()


PAPER = Theory()

QUICK = Theory(
    sampling=Sampling(
        dimensions=(4, 8, 16, 32),
        samples=(64, 128, 256, 512, 1024),
        repeats=40,
        path=2**15,
        trials=100,
        draws=200_000,
        seeds=5,
    ),
    layers=Layers(samples=(64, 256), repeats=20, small=30_000, seeds=5),
    block=Block(widths=(64, 128, 256), width=128, tokens=128, layers=6, repeats=20, seeds=5),
    layered=Layered(
        depths=(1, 2, 3),
        width=8,
        samples=(16, 64, 256),
        directions=4,
        rounds=8,
        steps=30,
        sizes=(16, 32, 64),
        draws=300,
        seeds=3,
        sample_seeds=3,
        attention_seeds=12,
    ),
    spike=Spike(widths=(64, 128, 256), seeds=5),
)

THINNED = {
    "quick": ("Numbered results of §2 and §4: smaller sizes and fewer repetitions.",),
    "paper": (
        "Corollary 2.15: 12 layers of width 256 on 256 tokens; the document gives no sizes.",
    ),
}
