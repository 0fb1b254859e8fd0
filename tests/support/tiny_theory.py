"""The numbered results of the study descent at a scale of seconds."""

from spectrain_studies.descent.config_theory import Block, Layered, Layers, Sampling, Spike, Theory

TINY_THEORY = Theory(
    sampling=Sampling(
        dimensions=(2, 4),
        samples=(16, 32),
        repeats=4,
        path=256,
        trials=4,
        failures=(0.1,),
        draws=1000,
        seeds=2,
    ),
    layers=Layers(
        rows=8,
        inputs=4,
        samples=(16, 32),
        repeats=4,
        small=100,
        depth=2,
        width=8,
        seeds=2,
    ),
    block=Block(
        widths=(16, 32), width=16, tokens=16, vocabulary=50, layers=3, repeats=4, stacks=2, seeds=2
    ),
    layered=Layered(
        depths=(1, 2),
        width=3,
        samples=(4, 8),
        directions=1,
        rounds=2,
        steps=3,
        sizes=(8, 16),
        draws=10,
        seeds=2,
    ),
    spike=Spike(widths=(8, 16), seeds=2),
)
