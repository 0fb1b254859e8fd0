"""Claims on first-order perturbation theory of singular vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.frame import Above, Below, Measured, OnEvery, Results, Within, near, planted
from spectrain_studies.frame.statistics import ratio_of_means
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.perturbation.experiment import KINDS, PERTURBED, Perturbed
from spectrain_studies.noise.statistics import column, over_seeds
from spectrain_studies.noise.study import DOCUMENT, STUDY, VECTORS

PRINTED, CORRECTED = f"{DOCUMENT}, {VECTORS}", f"corrected form of {DOCUMENT}, {VECTORS}"
EQUAL = Within(0.95, 1.05)


def _separate(config: Config, found: Results, kind: str, scale: float = 1.0) -> Results:
    return found.where(kind=kind, scale=scale, values=config.perturbations.values)


@STUDY.claim(
    "mixing-is-linear",
    source=PRINTED,
    statement="Mixing coefficients of singular vectors are linear in the noise to first order",
    statistic="error of the first-order coefficients at ε over that at ε/4: 4 where the relative "
    "error is of order ε",
    criterion=Within(3, 5),
    needs=(PERTURBED,),
    planted=planted(
        PERTURBED,
        near(alpha_whole=0.4, alpha_quarter=0.1),
        near(alpha_whole=0.1, alpha_quarter=0.1),
    ),
)
def mixing_is_linear(config: Config, found: Results) -> Estimate:
    chosen = _separate(config, found, "none")
    return ratio_of_means(column(chosen, "alpha_whole"), column(chosen, "alpha_quarter"))


for _name, _source, _statement, _what, _column in (
    (
        "mixing-printed",
        PRINTED,
        "The coefficients over the d directions of the signal describe the rotation",
        "α without the null space of G",
        "alpha_quarter_printed",
    ),
    (
        "mixing-corrected",
        CORRECTED,
        "With the null space (α = Δ_ji/σ_i there) the proportionality is an equality",
        "α",
        "alpha_quarter",
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic=f"relative error of {_what}, at ε/4",
        criterion=Below(0.1),
        needs=(PERTURBED,),
        planted=planted(PERTURBED, near(**{_column: 0.02}), near(**{_column: 0.6})),
    )
    def mixing(config: Config, found: Results, name: str = _column) -> Estimate:
        return over_seeds(column(_separate(config, found, "none"), name))


def _overlaps(over: float) -> Any:
    """A world in which both formulas are so many times what is measured."""
    measured = np.full(5, 0.1)
    same: dict[str, Any] = dict.fromkeys(("printed_left", "theory_left"), over * measured)
    return near(measured_left=measured, **same)


for _name, _source, _statement, _column in (
    (
        "overlap-printed",
        PRINTED,
        "1 − E⟨u_r, u⟩² is Σ E Δ_ji²/(σ_i² − σ_j²)²",
        "printed_left",
    ),
    (
        "overlap-corrected",
        CORRECTED,
        "It is Σ E(σ_iΔ_ji + σ_jΔ_ij)²/(σ_i² − σ_j²)² plus the null space's Σ E Δ_ji²/σ_i²",
        "theory_left",
    ),
):

    @STUDY.claim(
        _name,
        source=_source,
        statement=_statement,
        statistic="that formula over measured 1 − c_L², mean over directions, for additive and "
        "three kinds of multiplicative noise",
        criterion=OnEvery("kind of noise", EQUAL),
        needs=(PERTURBED,),
        planted=planted(PERTURBED, _overlaps(1.0), _overlaps(0.5)),
    )
    def overlap(config: Config, found: Results, name: str = _column) -> dict[str, Estimate]:
        def on(kind: str) -> Estimate:
            chosen = _separate(config, found, kind)
            return ratio_of_means(chosen.stack(name).mean(1), chosen.stack("measured_left").mean(1))

        return {kind: on(kind) for kind in KINDS}


def _scaled(power: float) -> Any:
    return near(
        measured_left=np.full(5, 0.1),
        printed_left=lambda case: np.full(5, 0.1 * case.scale**power),
    )


@STUDY.claim(
    "overlap-printed-scale",
    source=PRINTED,
    statement="The printed deviation does not depend on the unit of the gradient",
    statistic="printed 1 − c_L² of 10·G over that of G, which is 1 for the measured one",
    criterion=EQUAL,
    needs=(PERTURBED,),
    planted=planted(PERTURBED, _scaled(0.0), _scaled(-2.0)),
)
def overlap_printed_scale(config: Config, found: Results) -> Measured:
    one, ten = (_separate(config, found, "none", scale) for scale in (1.0, 10.0))

    def of(name: str) -> Estimate:
        return ratio_of_means(ten.stack(name).mean(1), one.stack(name).mean(1))

    return Measured(of("printed_left"), details={"measured": of("measured_left").value})


def _gap(config: Config, found: Results, kind: str) -> Estimate:
    chosen = found.where(kind=kind, scale=1.0, values=config.perturbations.close)
    nearest = _nearest(chosen[0].case)
    measured = chosen.stack("measured_left")
    return ratio_of_means(measured[:, nearest.argmin()], measured[:, nearest.argmax()])


def _nearest(case: Perturbed) -> np.ndarray:
    """Relative gap of each direction to its nearer neighbour."""
    values = np.array(case.values)
    gaps = -np.diff(values) / values[:-1]
    return np.minimum(np.append(gaps, 1.0), np.append(1.0, gaps))


def _gaps(power: float) -> Any:
    return near(measured_left=lambda case: 0.05 * (_nearest(case) / 0.1) ** power)


@STUDY.claim(
    "gaps-printed",
    source=PRINTED,
    statement="Rotations are larger where spectral gaps are small, under multiplicative noise",
    statistic="1 − c_L² of the direction with the smallest relative gap over that with the "
    "largest, for noise without symmetry, symmetric and antisymmetric noise",
    criterion=OnEvery("kind of noise", Above(1.5)),
    needs=(PERTURBED,),
    planted=planted(PERTURBED, _gaps(-1.0), _gaps(0.0)),
)
def gaps_printed(config: Config, found: Results) -> dict[str, Estimate]:
    return {kind: _gap(config, found, kind) for kind in KINDS[1:]}


@STUDY.claim(
    "gaps-antisymmetric",
    source=CORRECTED,
    statement="Antisymmetric noise rotates without regard to gaps",
    statistic="the same ratio for antisymmetric noise",
    criterion=EQUAL,
    needs=(PERTURBED,),
    planted=planted(
        PERTURBED,
        near(spread=1e-4, measured_left=lambda case: 0.1 * np.ones(len(case.values))),
        _gaps(-1.0),
    ),
)
def gaps_antisymmetric(config: Config, found: Results) -> Estimate:
    return _gap(config, found, "antisymmetric")
