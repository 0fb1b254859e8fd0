"""Claims on what the stable rank does when it is turned: the dial A = I + λ11ᵀ, and columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.dial.experiment import COLUMNS, DIAL
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.random_features.claims import INTERVAL, interval
from spectrain_studies.descent.stated import claim_of_exponent
from spectrain_studies.descent.statistics import BOUNDED, by_size
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, AllOf, Below, Found, OnEvery, Result, Results
from spectrain_studies.frame.statistics import over_seeds, paired

FLOOR = 1e-30
"""Loss that stands for one that has fallen to zero."""


def mean_gain(result: Result) -> float:
    """Mean of ln Δ_spectral/Δ_euclidean over the steps of gradient descent above round-off."""
    return float(np.nanmean(np.log(result["gains"])))


def _last(result: Result) -> float:
    spectral, euclidean = (max(result[f"{m}_loss"][-1], FLOOR) for m in ("specgd", "gd"))
    return float(np.log(spectral / euclidean))


@STUDY.claim(
    "dial-gain",
    source="§1.2, with the document's code for A = I + λ11ᵀ",
    statement="The lower the stable rank, the more a spectral step gains over a Euclidean one",
    statistic="mean of ln Δ_spectral/Δ_euclidean along gradient descent, at one λ less that at the "
    "next smaller one, whose stable rank is larger; paired over seeds",
    criterion=OnEvery("pair of neighbouring λ", Above(0)),
    needs=[DIAL],
    planted=planted(
        [DIAL],
        lambda case, noise: {"gains": noise * np.exp([case.height]), "stable_rank": 1.0},
        lambda case, noise: {"gains": noise * np.exp([-case.height]), "stable_rank": 1.0},
    ),
)
def dial_gain(config: Config, dial: Results) -> Found:
    gains = dict(zip(config.dynamics.dial.heights, by_size(dial, "height", mean_gain), strict=True))
    return {
        f"λ = {high:g} against {low:g}": paired(gains[high], gains[low])
        for low, high in pairwise(config.dynamics.dial.heights)
    }


@STUDY.claim(
    "dial-winner",
    source="§1.2",
    statement="Gradient descent wins where st(A) is largest, SpecGD where it is least",
    statistic="ln(last loss of SpecGD / last loss of GD), mean over seeds, at either end of λ",
    criterion=AllOf({"least λ": Above(0), "largest λ": Below(0)}),
    needs=[DIAL],
    planted=planted(
        [DIAL],
        lambda case, noise: {"specgd_loss": [noise * np.exp(-case.height)], "gd_loss": [0.99]},
        lambda case, noise: {"specgd_loss": [noise * np.exp(case.height)], "gd_loss": [0.99]},
    ),
)
def dial_winner(config: Config, dial: Results) -> Found:
    rows = by_size(dial, "height", _last)
    return {"least λ": over_seeds(rows[0]), "largest λ": over_seeds(rows[-1])}


@STUDY.claim(
    "dial-interval",
    source="§1.2, after (1.5)",
    statement="Δ_spectral/Δ_euclidean stays in [½, 2]·nr/st for every λ",
    statistic="smallest and largest Δ_spectral/Δ_euclidean over nr/st, all steps of gradient "
    "descent above round-off",
    criterion=INTERVAL,
    needs=[DIAL],
    planted=planted(
        [DIAL],
        lambda case, noise: {"gains": np.array([0.6]), "nuclear_ranks": 1.0, "stable_rank": 1.0},
        lambda case, noise: {"gains": np.array([0.4]), "nuclear_ranks": 1.0, "stable_rank": 1.0},
    ),
)
def dial_interval(config: Config, dial: Results) -> Found:
    every = np.concatenate([r["gains"] * r["stable_rank"] / r["nuclear_ranks"] for r in dial])
    return interval(every[np.isfinite(every)], seeds=config.dynamics.dial.seeds)


claim_of_exponent(
    "columns-relu",
    "§1.2.2, §2",
    "More columns do not raise the stable rank of ReLU features",
    "exponent of st(A) in the number of columns, ReLU features",
    BOUNDED,
    *(COLUMNS, "columns", "stable_rank"),
    activation="relu",
)
claim_of_exponent(
    "columns-swiglu",
    "§1.2.2, Appendix A",
    "More columns raise the stable rank of SwiGLU features",
    "exponent of st(A) in the number of columns, SwiGLU features",
    Above(0.25),
    *(COLUMNS, "columns", "stable_rank"),
    activation="swiglu",
)
