"""Claims on the noise of one update."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain.noise.estimate import Estimate, symmetric
from spectrain_studies.frame import (
    Measured,
    Near,
    OnEvery,
    Result,
    Results,
    Untestable,
    near,
    planted,
)
from spectrain_studies.frame.statistics import quotient, weighted_log_slope
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.rbm.experiment import NOISE
from spectrain_studies.randomness.study import STUDY

DYNAMICS = "slide “Stochastic weight matrix dynamics”"
BACK = "slide “Back to weight matrix dynamics”"


def _variance(result: Result) -> Estimate:
    return symmetric(result["variance"], result["variance_error"], replicas=result.case.runs)


def _world(exponent: float, factor: float = 1.0) -> Any:
    """Var(δW) of a batch, factor times Var/|B|^exponent but for a single example."""

    def variance(case: Any) -> float:
        return 1.0 if case.batch == 1 else float(factor * case.batch**-exponent)

    return near(
        spread=1e-5,
        variance=variance,
        variance_error=lambda case: 0.005 * variance(case),
    )


@STUDY.claim(
    "variance-falls-with-batch",
    source=DYNAMICS,
    statement="The variance of an update is Var(δW)/|B|",
    statistic="exponent of Var(δW) against |B|, single examples included, at fixed W",
    criterion=Near(-1.0, 0.05),
    needs=(NOISE,),
    planted=planted(NOISE, _world(1.0), _world(0.5)),
)
def variance_batch(config: Config, noise: Results) -> Measured:
    found = weighted_log_slope([r.case.batch for r in noise], [_variance(r) for r in noise])
    products = {str(r.case.batch): r["variance"] * r.case.batch for r in noise}
    return Measured(found, seeds=noise[0].case.runs, details={"Var·|B| by |B|": products})


for _name, _source, _statement, _factor in (
    (
        "update-as-printed",
        f"{DYNAMICS}, as printed",
        "δW = δW_B + √(Var(δW)/|B|) η with δW_B the average over the batch",
        2.0,
    ),
    (
        "update-corrected",
        f"{DYNAMICS}, corrected",
        "δW = ⟨δW⟩ + √(Var(δW)/|B|) η with the mean over all data",
        1.0,
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="variance of an update over Var(δW)/|B|, that of single examples over the "
        "largest |B|; the printed sum counts the noise of the batch twice",
        criterion=Near(_factor, 0.1),
        needs=(NOISE,),
        planted=planted(NOISE, _world(1.0, _factor), _world(1.0, 3.0 - _factor)),
    )
    def update(config: Config, noise: Results) -> Measured:
        single = noise.where(batch=1).only()
        last = max(noise, key=lambda result: result.case.batch)
        found = quotient(_variance(last), _variance(single)).scaled(last.case.batch)
        return Measured(found, seeds=last.case.runs)


@STUDY.claim(
    "amplitude-as-printed",
    source=f"{BACK}, as printed",
    statement="The amplitude g̃ᵢ of an eigenvalue's noise goes as Var(δL/δW)ᵢᵢ",
    statistic="none",
    criterion=Untestable(
        "δxᵢ = √2 g̃ᵢη makes g̃ᵢ a standard deviation, so that a variance has another unit: the "
        "statement is a slip, and no data enter"
    ),
)
def amplitude_printed(config: Config) -> float:
    return float("nan")


@STUDY.claim(
    "amplitude-corrected",
    source=f"{BACK}, corrected",
    statement="2g̃ᵢ² is the variance of the diagonal element of δX (√Aᵢᵢ = √2 gᵢ)",
    statistic="variance of an eigenvalue's change at the sweeps' α over that of the diagonal "
    "element, the modes that are not degenerate, at the largest |B|",
    criterion=OnEvery("mode", Near(1.0, 0.1)),
    needs=(NOISE,),
    planted=planted(
        NOISE,
        near(levels=np.full(2, 0.5), diagonal=np.full(10, 0.5), simple=[0, 9]),
        near(levels=np.full(2, 0.5), diagonal=np.full(10, 1.0), simple=[0, 9]),
    ),
)
def amplitude_corrected(config: Config, noise: Results) -> dict[str, Measured]:
    """To first order in the noise, which is why smaller batches stand in the details only."""
    chosen = sorted((r for r in noise if r.case.batch > 1), key=lambda result: result.case.batch)
    ratios = np.array([r["levels"] / r["diagonal"][np.asarray(r["simple"])] for r in chosen])
    runs = chosen[-1].case.runs
    error = 2 / runs**0.5  # of a quotient of variances over runs, relative, if independent

    def of(mode: int) -> Measured:
        value = float(ratios[-1, mode])
        found = symmetric(value, value * error, replicas=runs)
        by_batch = zip(chosen, ratios[:, mode].tolist(), strict=True)
        return Measured(found, details={f"|B| = {r.case.batch}": x for r, x in by_batch})

    return {"lowest x": of(0), "highest x": of(1)}
