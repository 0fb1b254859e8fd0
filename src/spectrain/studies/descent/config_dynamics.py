"""Sizes, grids and horizons of the dynamics: regression on random features and sparse targets."""

from __future__ import annotations

from dataclasses import dataclass


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


QUICK_FEATURES = Features(restart_every=500, seeds=2)

THINNED = {
    "quick": ("Figures 3 and 11: 2 seeds; restarts from every 500th iterate only.",),
    "paper": (),
}
