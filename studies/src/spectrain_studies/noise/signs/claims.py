"""Claims on orthonormalized gradients across minibatches."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Above, Measured, Results, Within, near, planted
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.signs.experiment import BIASED, SIGNS
from spectrain_studies.noise.statistics import column, over_seeds
from spectrain_studies.noise.study import STUDY

COHERENCE = "“Information Flow & Gradient Quality Hypothesis”, Experiment 5"


@STUDY.claim(
    "signs-raise-snr",
    source=COHERENCE,
    statement="Orthonormalization improves the signal-to-noise ratio of gradients",
    statistic="log ratio of the unbiased signal-to-noise ratios, signs over raw, median over "
    "matrices where both are positive",
    criterion=Above(0),
    needs=(SIGNS,),
    planted=planted(
        SIGNS,
        near(raw=np.full(6, 0.1), signs=np.full(6, 0.2)),
        near(raw=np.full(6, 0.2), signs=np.full(6, 0.1)),
    ),
)
def signs_raise_snr(config: Config, found: Results) -> Measured:
    logs = []
    for result in found:
        raw, signs = np.asarray(result["raw"]), np.asarray(result["signs"])
        kept = (raw > 0) & (signs > 0)
        logs.append(float(np.median(np.log(signs[kept] / raw[kept]))) if kept.any() else np.nan)
    details = {name: float(np.nanmedian(found.stack(name))) for name in ("raw", "signs")}
    return Measured(over_seeds(logs), details=details)


@STUDY.claim(
    "signs-unbiased",
    source=COHERENCE,
    statement="The sign of the mean gradient is the mean of the signs, up to length",
    statistic="cosine of E polar(G_r) with polar(E G), simulated",
    criterion=Above(0.99),
    needs=(BIASED,),
    planted=planted(BIASED, near(cosine=0.998, length=1.0), near(cosine=0.9, length=0.8)),
)
def signs_unbiased(config: Config, found: Results) -> Measured:
    details = {"‖E polar(G_r)‖/‖polar(E G)‖": float(column(found, "length").mean())}
    return Measured(over_seeds(column(found, "cosine")), details=details)


for _name, _source, _statement, _column, _note in (
    (
        "snr-printed",
        COHERENCE,
        "‖mean‖/‖std‖ over 100 minibatches is 0 where there is no signal",
        "printed",
        "Its floor is 1/√n",
    ),
    (
        "snr-corrected",
        f"corrected form of {COHERENCE}",
        "(‖ḡ‖² − tr Ĉ/n)/tr Ĉ is 0 where there is no signal",
        "unbiased",
        "",
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="its value on pure noise",
        criterion=Within(-0.01, 0.01),
        needs=(BIASED,),
        planted=planted(BIASED, near(**{_column: 0.0}), near(**{_column: 0.1})),
    )
    def snr(config: Config, found: Results, name: str = _column, note: str = _note) -> Measured:
        return Measured(over_seeds(column(found, name)), note=note)
