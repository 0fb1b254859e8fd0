"""Claims on changes of basis, and on channels rescaled without a change of the function."""

from __future__ import annotations

import numpy as np

from spectrain_studies.frame import Below, Measured, OnEvery, Results, near, planted
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.coordinates.channels import RESCALED
from spectrain_studies.noise.coordinates.experiment import CHANGED, CHANGES
from spectrain_studies.noise.statistics import column, largest, over_seeds
from spectrain_studies.noise.study import COORDINATES, DOCUMENT, STUDY

PRINTED = f"{DOCUMENT}, {COORDINATES}"
CORRECTED = f"corrected form of {PRINTED}"
EXACT = OnEvery("kind of S and T", Below(1e-6))


@STUDY.claim(
    "coordinates-noise-form",
    source=PRINTED,
    statement="S(I + A)G(I + B)Tᵀ = (I + SAS⁻¹) SGTᵀ (I + T⁻ᵀBTᵀ)",
    statistic="largest relative difference of both sides, for orthogonal, scalar, diagonal and "
    "general S and T",
    criterion=Below(1e-9),
    needs=(CHANGED,),
    planted=planted(CHANGED, near(spread=0, noise_form=1e-15), near(spread=0, noise_form=1e-3)),
)
def coordinates_noise_form(config: Config, found: Results) -> Measured:
    return largest(found, "noise_form")


for _name, _source, _statement, _column in (
    (
        "coordinates-gradient-printed",
        PRINTED,
        "Under x' = Sx, y' = Ty the gradient becomes S G Tᵀ",
        "as_printed",
    ),
    (
        "coordinates-gradient-corrected",
        CORRECTED,
        "Gradients are contragredient: it becomes S G T⁻¹",
        "contragredient",
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="largest relative difference from the gradient by automatic differentiation",
        criterion=EXACT,
        needs=(CHANGED,),
        planted=planted(
            CHANGED, near(spread=0, **{_column: 1e-14}), near(spread=0, **{_column: 0.5})
        ),
    )
    def gradient(config: Config, found: Results, name: str = _column) -> dict[str, Measured]:
        return {change: largest(found.where(change=change), name) for change in CHANGES}


@STUDY.claim(
    "coordinates-overlaps-printed",
    source=PRINTED,
    statement="Overlaps and the echo plateau are the same in all coordinates",
    statistic="change of an overlap, largest over directions, mean over seeds",
    criterion=OnEvery("kind of S and T", Below(0.01)),
    needs=(CHANGED,),
    planted=planted(CHANGED, near(overlaps=0.003, spread=1e-4), near(overlaps=0.2)),
)
def coordinates_overlaps_printed(config: Config, found: Results) -> dict[str, Measured]:
    return {
        change: Measured(over_seeds(column(found.where(change=change), "overlaps")))
        for change in CHANGES
    }


@STUDY.claim(
    "coordinates-overlaps-corrected",
    source=CORRECTED,
    statement="They are the same in orthogonal and scalar coordinates",
    statistic="largest change of an overlap",
    criterion=EXACT,
    needs=(CHANGED,),
    planted=planted(CHANGED, near(spread=0, overlaps=1e-15), near(spread=0, overlaps=0.2)),
)
def coordinates_overlaps_corrected(config: Config, found: Results) -> dict[str, Measured]:
    return {change: largest(found.where(change=change), "overlaps") for change in CHANGES[:2]}


@STUDY.claim(
    "channels",
    source=PRINTED,
    statement="The plateau does not change when channels are rescaled and the function is kept",
    statistic="|change of ζ_emp| of a ReLU MLP's matrices, channels scaled between ¼ and 4",
    criterion=Below(0.01),
    needs=(RESCALED,),
    planted=planted(
        RESCALED,
        near(before=np.full(4, 0.5), after=np.full(4, 0.5), loss_change=1e-8),
        near(before=np.full(4, 0.5), after=np.full(4, 0.6), loss_change=1e-8),
    ),
)
def channels(config: Config, found: Results) -> Measured:
    changes = [float(np.abs(r["after"] - r["before"]).mean()) for r in found]
    told = {"loss changes by": float(column(found, "loss_change").max())}
    return Measured(over_seeds(changes), details=told)
