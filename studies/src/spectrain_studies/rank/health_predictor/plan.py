"""How many set-ups of which kinds are trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthPlan:
    """Kinds of set-ups, each in several sizes, and how every one of them is trained.

    Attributes:
        kinds: of models; see :class:`spectrain_studies.rank.config.Task`.
        shapes: layers, width and batch of the set-ups of each kind.
        steps: of every run.
        early: share of the run that a prediction may look at.
        samples: gradients' spectra taken in that share.
        seeds: runs of each set-up, other than those of the sweep.
        tuning_seeds: of the sweep.
        sizes: the sweep: root mean square of an entry of the first step, for both optimizers.
        held_out: times the usual held-out set at which the end is judged.
        draws: of the bootstrap.
    """

    kinds: tuple[str, ...] = (
        *("gpt", "lstm", "ngram", "bag", "mlp", "linear", "conv", "gated", "mixer", "teacher"),
        *("scales", "rare", "pairs", "tree", "decile", "vote"),
    )
    shapes: tuple[tuple[int, int, int], ...] = ((1, 48, 16), (2, 32, 4))
    steps: int = 200
    early: float = 0.1
    samples: int = 5
    seeds: int = 3
    tuning_seeds: int = 1
    sizes: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
    held_out: int = 2
    draws: int = 1000
