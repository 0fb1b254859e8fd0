"""Claims on orthonormalized gradients across minibatches."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Judgement, Results, above, within
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.signs import BIASED, SIGNS
from spectrain_studies.noise.study import STUDY, column, over_seeds

COHERENCE = "“Information Flow & Gradient Quality Hypothesis”, Experiment 5"


@STUDY.claim(
    "signs-raise-snr",
    source=COHERENCE,
    statement="Orthonormalization improves the signal-to-noise ratio of gradients.",
    statistic="log ratio of the unbiased signal-to-noise ratios, signs over raw, median over "
    "matrices where both are positive",
    criterion="above 0",
    needs=(SIGNS,),
)
def signs_raise_snr(config: Config, found: Results) -> Judgement:
    logs = []
    for result in found:
        raw, signs = np.asarray(result["raw"]), np.asarray(result["signs"])
        kept = (raw > 0) & (signs > 0)
        logs.append(float(np.median(np.log(signs[kept] / raw[kept]))) if kept.any() else np.nan)
    details = {name: float(np.nanmedian(found.stack(name))) for name in ("raw", "signs")}
    return above(over_seeds(logs), 0.0, details=details)


@STUDY.claim(
    "signs-unbiased",
    source=COHERENCE,
    statement="The sign of the mean gradient is the mean of the signs, up to length.",
    statistic="cosine of E polar(G_r) with polar(E G), simulated",
    criterion="above 0.99",
    needs=(BIASED,),
)
def signs_unbiased(config: Config, found: Results) -> Judgement:
    details = {"‖E polar(G_r)‖/‖polar(E G)‖": float(column(found, "length").mean())}
    return above(over_seeds(column(found, "cosine")), 0.99, details=details)


@STUDY.claim(
    "snr-printed",
    source=COHERENCE,
    statement="‖mean‖/‖std‖ over 100 minibatches is 0 where there is no signal.",
    statistic="its value on pure noise",
    criterion="between −0.01 and 0.01",
    needs=(BIASED,),
)
def snr_printed(config: Config, found: Results) -> Judgement:
    return within(over_seeds(column(found, "printed")), -0.01, 0.01, note="Its floor is 1/√n.")


@STUDY.claim(
    "snr-corrected",
    source=f"corrected form of {COHERENCE}",
    statement="(‖ḡ‖² − tr Ĉ/n)/tr Ĉ is.",
    statistic="its value on pure noise",
    criterion="between −0.01 and 0.01",
    needs=(BIASED,),
)
def snr_corrected(config: Config, found: Results) -> Judgement:
    return within(over_seeds(column(found, "unbiased")), -0.01, 0.01)
