"""Claims on what the stable rank does when it is turned: the dial A = I + λ11ᵀ, and columns."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from spectrain_studies.descent.config import Config
from spectrain_studies.descent.dial import COLUMNS, DIAL
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Judgement, Result, Results, above, below, combined, within
from spectrain_studies.frame.statistics import Array, log_slope, over_seeds

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
    statistic="rank correlation over λ of st(A) and the mean of ln Δ_spectral/Δ_euclidean along "
    "gradient descent, mean over seeds",
    criterion="below −0.9",
    needs=[DIAL],
)
def dial_gain(config: Config, dial: Results) -> Judgement:
    correlations = []
    for seed in range(config.dynamics.dial.seeds):
        chosen = dial.where(seed=seed)
        gains = [mean_gain(result) for result in chosen]
        correlations.append(float(spearmanr(chosen.stack("stable_rank"), gains).statistic))
    values = {f"λ = {r.case.height:g}": mean_gain(r) for r in dial.where(seed=0)}
    ranks = {f"λ = {r.case.height:g}": r["stable_rank"] for r in dial.where(seed=0)}
    details = {"ln gain, seed 0": values, "st(A)": ranks}
    return within(over_seeds(correlations), -1.0, -0.9, details=details)


@STUDY.claim(
    "dial-winner",
    source="§1.2",
    statement="Gradient descent wins where st(A) is largest, SpecGD where it is least",
    statistic="ln(last loss of SpecGD / last loss of GD) at the least and at the largest λ",
    criterion="above 0 and below 0",
    needs=[DIAL],
)
def dial_winner(config: Config, dial: Results) -> Judgement:
    heights = config.dynamics.dial.heights
    ends = [[_last(r) for r in dial.where(height=height)] for height in (heights[0], heights[-1])]
    return combined(
        {
            f"λ = {heights[0]:g}": above(over_seeds(ends[0]), 0.0),
            f"λ = {heights[-1]:g}": below(over_seeds(ends[1]), 0.0),
        }
    )


@STUDY.claim(
    "dial-interval",
    source="§1.2, after (1.5)",
    statement="Δ_spectral/Δ_euclidean stays in [½, 2]·nr/st for every λ",
    statistic="steps of gradient descent above round-off that leave it by more than 10⁻⁹",
    criterion="none",
    needs=[DIAL],
)
def dial_interval(config: Config, dial: Results) -> Judgement:
    every = np.concatenate([r["gains"] / (r["nuclear_ranks"] / r["stable_rank"]) for r in dial])
    every = every[np.isfinite(every)]
    outside = (every < 0.5 * (1 - 1e-9)) | (every > 2 * (1 + 1e-9))
    details = {"steps": len(every), "smallest": every.min(), "largest": every.max()}
    return below(float(outside.sum()), 0.5, seeds=config.dynamics.dial.seeds, details=details)


def columns_and_ranks(results: Results, activation: str) -> tuple[list[int], Array]:
    """Numbers of columns, and stable ranks: columns × seeds."""
    chosen = results.where(activation=activation)
    columns = sorted({result.case.columns for result in chosen})
    return columns, np.stack([chosen.where(columns=n).stack("stable_rank") for n in columns])


def _claim_of_columns(activation: str, label: str, statement: str, criterion: str) -> None:
    @STUDY.claim(
        f"columns-{activation}",
        source="§1.2.2, §2",
        statement=statement,
        statistic=f"exponent of st(A) in the number of columns, {label} features",
        criterion=criterion,
        needs=[COLUMNS],
    )
    def exponent(config: Config, columns: Results) -> Judgement:
        counts, ranks = columns_and_ranks(columns, activation)
        details = dict(zip(map(str, counts), ranks.mean(1).tolist(), strict=True))
        slope = log_slope(counts, ranks)
        if activation == "relu":
            return below(slope, 0.1, details=details)
        return above(slope, 0.25, details=details)


_claim_of_columns(
    "relu", "ReLU", "More columns do not raise the stable rank of ReLU features", "below 0.1"
)
_claim_of_columns(
    "swiglu", "SwiGLU", "More columns raise the stable rank of SwiGLU features", "above 0.25"
)
