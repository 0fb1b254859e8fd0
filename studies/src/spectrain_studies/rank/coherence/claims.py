"""Claims of Experiment 5: what minibatches agree on, before and after orthonormalizing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrain_studies.frame import Above, Measured, OnEvery, Result, Results
from spectrain_studies.frame.statistics import paired
from spectrain_studies.rank.coherence.experiment import COHERENCE
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.statistics import on_results
from spectrain_studies.rank.study import STUDY

COHERENT = "hidden matrices, early and late in an AdamW run; paired over seeds"
MEDIAN = "median over matrices and stages of the"


def per_seed(result: Result, name: str) -> np.ndarray:
    """Median over matrices and stages, one value a seed."""
    seeds, values = np.asarray(result["seed"]), np.asarray(result[name])
    return np.array([np.median(values[seeds == seed]) for seed in np.unique(seeds)])


def _claim(name: str, ends: str, *, source: str, statement: str, what: str) -> None:
    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=f"{MEDIAN} {what}, {COHERENT}",
        criterion=OnEvery("model", Above(0)),
        needs=(COHERENCE,),
    )
    def improves(config: RankConfig, runs: Results) -> dict[str, Measured]:
        def on(result: Result) -> Measured:
            first, second = per_seed(result, f"{ends}_sign"), per_seed(result, f"{ends}_raw")
            found = paired(first, second)
            told = {"orthonormalized": float(first.mean()), "raw": float(second.mean())}
            return replace(found, details={**found.details, **told})

        return on_results(runs, on)


_claim(
    "orthonormalizing-improves-snr",
    "snr",
    source="Experiment 5",
    statement="Orthonormalizing minibatch gradients improves their signal-to-noise ratio.",
    what="unbiased ‖E g‖²/tr C over the minibatches, orthonormalized minus raw",
)
_claim(
    "printed-snr-improves",
    "printed",
    source="Experiment 5, pseudocode (it has a floor of 1/√minibatches on pure noise)",
    statement="Orthonormalizing minibatch gradients improves ‖mean‖/‖std‖.",
    what="printed ratio, orthonormalized minus raw",
)
_claim(
    "sign-of-mean-reproducible",
    "halves",
    source="Experiment 5 (the order that Muon takes: average first, added here)",
    statement="The polar factor of a mean gradient is more reproducible than the mean itself.",
    what="cosine between halves of the minibatches, polar factors of the means minus means",
)
