"""Claims on perturbation theory, coordinates and estimators: what simulations decide."""

from __future__ import annotations

import numpy as np

from spectrain.noise import Estimate
from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.coverage import COVERAGE, DIRECTIONAL, EXACT, REFERENCED, SCALARS
from spectrain_studies.noise.perturb import KINDS, PERTURBED
from spectrain_studies.noise.reparam import CHANGED, CHANGES
from spectrain_studies.noise.study import (
    COORDINATES,
    DOCUMENT,
    ECHO,
    REFERENCE,
    STUDY,
    VECTORS,
    column,
    over_seeds,
    ratio,
)


@STUDY.claim(
    "mixing-is-linear",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="Mixing coefficients of singular vectors are linear in the noise to first order.",
    statistic="error of the first-order coefficients at ε over that at ε/4",
    criterion="between 3 and 5: the relative error is of order ε",
    needs=(PERTURBED,),
)
def mixing_is_linear(config: Config, found: Results) -> Judgement:
    chosen = _separate(config, found, "none")
    return within(ratio(column(chosen, "alpha_whole"), column(chosen, "alpha_quarter")), 3.0, 5.0)


@STUDY.claim(
    "mixing-printed",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="The coefficients over the d directions of the signal describe the rotation.",
    statistic="relative error of α without the null space of G, at ε/4",
    criterion="below 0.1",
    needs=(PERTURBED,),
)
def mixing_printed(config: Config, found: Results) -> Judgement:
    chosen = _separate(config, found, "none")
    return below(over_seeds(column(chosen, "alpha_quarter_printed")), 0.1)


@STUDY.claim(
    "mixing-corrected",
    source=f"corrected form of {DOCUMENT}, {VECTORS}",
    statement="With the null space (α = Δ_ji/σ_i there) the proportionality is an equality.",
    statistic="relative error of α at ε/4",
    criterion="below 0.1",
    needs=(PERTURBED,),
)
def mixing_corrected(config: Config, found: Results) -> Judgement:
    return below(over_seeds(column(_separate(config, found, "none"), "alpha_quarter")), 0.1)


@STUDY.claim(
    "overlap-printed",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="1 − E⟨u_r, u⟩² is Σ E Δ_ji²/(σ_i² − σ_j²)².",
    statistic="printed over measured 1 − c_L², mean over directions",
    criterion="between 0.95 and 1.05",
    needs=(PERTURBED,),
)
def overlap_printed(config: Config, found: Results) -> Judgement:
    return combined({kind: _formula(config, found, kind, "printed_left") for kind in KINDS})


@STUDY.claim(
    "overlap-corrected",
    source=f"corrected form of {DOCUMENT}, {VECTORS}",
    statement="It is Σ E(σ_iΔ_ji + σ_jΔ_ij)²/(σ_i² − σ_j²)² plus the null space's Σ E Δ_ji²/σ_i².",
    statistic="corrected over measured 1 − c_L², mean over directions",
    criterion="between 0.95 and 1.05 for additive and three kinds of multiplicative noise",
    needs=(PERTURBED,),
)
def overlap_corrected(config: Config, found: Results) -> Judgement:
    return combined({kind: _formula(config, found, kind, "theory_left") for kind in KINDS})


def _separate(config: Config, found: Results, kind: str, scale: float = 1.0) -> Results:
    return found.where(kind=kind, scale=scale, values=config.perturbations.values)


def _formula(config: Config, found: Results, kind: str, name: str) -> Judgement:
    chosen = _separate(config, found, kind)
    return within(
        ratio(chosen.stack(name).mean(1), chosen.stack("measured_left").mean(1)), 0.95, 1.05
    )


@STUDY.claim(
    "overlap-printed-scale",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="The printed deviation does not depend on the unit of the gradient.",
    statistic="printed 1 − c_L² of 10·G over that of G",
    criterion="between 0.95 and 1.05, as for the measured one",
    needs=(PERTURBED,),
)
def overlap_printed_scale(config: Config, found: Results) -> Judgement:
    one, ten = (_separate(config, found, "none", scale) for scale in (1.0, 10.0))
    measured = ratio(ten.stack("measured_left").mean(1), one.stack("measured_left").mean(1))
    return within(
        ratio(ten.stack("printed_left").mean(1), one.stack("printed_left").mean(1)),
        0.95,
        1.05,
        details={"measured": measured.value},
    )


@STUDY.claim(
    "gaps-printed",
    source=f"{DOCUMENT}, {VECTORS}",
    statement="Rotations are larger where spectral gaps are small, under multiplicative noise.",
    statistic="1 − c_L² of the direction with the smallest relative gap over that with the largest",
    criterion="above 1.5 for noise without symmetry, symmetric and antisymmetric noise",
    needs=(PERTURBED,),
)
def gaps_printed(config: Config, found: Results) -> Judgement:
    return combined({kind: above(_gap(config, found, kind), 1.5) for kind in KINDS[1:]})


@STUDY.claim(
    "gaps-antisymmetric",
    source=f"corrected form of {DOCUMENT}, {VECTORS}",
    statement="Antisymmetric noise rotates without regard to gaps.",
    statistic="the same ratio for antisymmetric noise",
    criterion="between 0.95 and 1.05",
    needs=(PERTURBED,),
)
def gaps_antisymmetric(config: Config, found: Results) -> Judgement:
    return within(_gap(config, found, "antisymmetric"), 0.95, 1.05)


def _gap(config: Config, found: Results, kind: str) -> Estimate:
    chosen = found.where(kind=kind, scale=1.0, values=config.perturbations.close)
    values = np.array(chosen[0].case.values)
    gaps = -np.diff(values) / values[:-1]
    nearest = np.minimum(np.append(gaps, 1.0), np.append(1.0, gaps))
    measured = chosen.stack("measured_left")
    return ratio(measured[:, nearest.argmin()], measured[:, nearest.argmax()])


@STUDY.claim(
    "coordinates-noise-form",
    source=f"{DOCUMENT}, {COORDINATES}",
    statement="S(I + A)G(I + B)Tᵀ = (I + SAS⁻¹) SGTᵀ (I + T⁻ᵀBTᵀ).",
    statistic="largest relative difference of both sides",
    criterion="below 1e-9 for orthogonal, scalar, diagonal and general S and T",
    needs=(CHANGED,),
)
def coordinates_noise_form(config: Config, found: Results) -> Judgement:
    return below(float(column(found, "noise_form").max()), 1e-9, seeds=len(found))


@STUDY.claim(
    "coordinates-gradient-printed",
    source=f"{DOCUMENT}, {COORDINATES}",
    statement="Under x' = Sx, y' = Ty the gradient becomes S G Tᵀ.",
    statistic="largest relative difference from the gradient by automatic differentiation",
    criterion="below 1e-6 for each kind of S and T",
    needs=(CHANGED,),
)
def coordinates_gradient_printed(config: Config, found: Results) -> Judgement:
    return combined({c: _largest(found, c, "as_printed", 1e-6) for c in CHANGES})


@STUDY.claim(
    "coordinates-gradient-corrected",
    source=f"corrected form of {DOCUMENT}, {COORDINATES}",
    statement="Gradients are contragredient: it becomes S G T⁻¹.",
    statistic="the same difference",
    criterion="below 1e-6 for each kind of S and T",
    needs=(CHANGED,),
)
def coordinates_gradient_corrected(config: Config, found: Results) -> Judgement:
    return combined({c: _largest(found, c, "contragredient", 1e-6) for c in CHANGES})


@STUDY.claim(
    "coordinates-overlaps-printed",
    source=f"{DOCUMENT}, {COORDINATES}",
    statement="Overlaps and the echo plateau are the same in all coordinates.",
    statistic="change of an overlap, largest over directions, mean over seeds",
    criterion="below 0.01 for orthogonal, scalar, diagonal and general S and T",
    needs=(CHANGED,),
)
def coordinates_overlaps_printed(config: Config, found: Results) -> Judgement:
    return combined(
        {c: below(over_seeds(column(found.where(change=c), "overlaps")), 0.01) for c in CHANGES}
    )


@STUDY.claim(
    "coordinates-overlaps-corrected",
    source=f"corrected form of {DOCUMENT}, {COORDINATES}",
    statement="They are the same in orthogonal and scalar coordinates.",
    statistic="largest change of an overlap",
    criterion="below 1e-6",
    needs=(CHANGED,),
)
def coordinates_overlaps_corrected(config: Config, found: Results) -> Judgement:
    return combined({c: _largest(found, c, "overlaps", 1e-6) for c in CHANGES[:2]})


def _largest(found: Results, change: str, name: str, limit: float) -> Judgement:
    chosen = found.where(change=change)
    return below(float(column(chosen, name).max()), limit, seeds=len(chosen))


@STUDY.claim(
    "echo-exact",
    source=f"corrected form of the {REFERENCE}",
    statement="The triple estimator with the pairs of p left out returns ζ exactly for Z = ζζᵀ.",
    statistic="largest error for R = 3 to 64",
    criterion="below 1e-12",
    needs=(EXACT,),
)
def echo_exact(config: Config, found: Results) -> Judgement:
    return below(float(column(found, "error").max()), 1e-12, seeds=len(found))


@STUDY.claim(
    "echo-published",
    source=REFERENCE,
    statement="The published triple estimator returns 1 where the replicas are equal.",
    statistic="its value at R = 8",
    criterion="above 0.99",
    needs=(EXACT,),
)
def echo_published(config: Config, found: Results) -> Judgement:
    value = float(column(found.where(replicas=8), "published").mean())
    return above(value, 0.99, note="It returns √((R − 2)/R): a plateau without any noise.")


@STUDY.claim(
    "echo-reference",
    source=f"{DOCUMENT}, {ECHO}",
    statement="Overlaps with the mean of the same replicas are those with the true directions.",
    statistic="1 − c_L² against the own mean over that against the truth, R = 8",
    criterion="between 0.95 and 1.05",
    needs=(REFERENCED,),
)
def echo_reference(config: Config, found: Results) -> Judgement:
    return within(ratio(column(found, "own"), column(found, "truth")), 0.95, 1.05)


@STUDY.claim(
    "echo-reference-corrected",
    source=f"corrected form of {DOCUMENT}, {ECHO}",
    statement="Against the mean of the others 1 − c² is R/(R − 1) times too high, corrected right.",
    statistic="1 − c_L² over the truth: others, and corrected",
    criterion="others between 1.09 and 1.20, corrected between 0.95 and 1.05",
    needs=(REFERENCED,),
)
def echo_reference_corrected(config: Config, found: Results) -> Judgement:
    truth = column(found, "truth")
    return combined(
        {
            "others": within(ratio(column(found, "others"), truth), 1.09, 1.20),
            "corrected": within(ratio(column(found, "corrected"), truth), 0.95, 1.05),
        }
    )


@STUDY.claim(
    "coverage-energies",
    source="this project",
    statement="90 % intervals of signal, noise and noise scale cover the truth as nominal.",
    statistic="share of intervals that hold the truth, R = 8",
    criterion="between 0.85 and 0.95 for each statistic, at least 400 data sets",
    needs=(COVERAGE,),
)
def coverage_energies(config: Config, found: Results) -> Judgement:
    return combined({name: _coverage(found, name) for name in SCALARS})


@STUDY.claim(
    "coverage-directions",
    source="this project",
    statement="So do those of echoes and plateaus.",
    statistic="share of intervals that hold the truth, R = 8, four directions",
    criterion="between 0.85 and 0.95 for each statistic, at least 400 data sets",
    needs=(COVERAGE,),
)
def coverage_directions(config: Config, found: Results) -> Judgement:
    count = config.coverage.directions
    names = (*DIRECTIONAL, *(f"echo_{i + 1}" for i in range(count)))
    return combined({name: _coverage(found, name) for name in names})


def _coverage(found: Results, name: str) -> Judgement:
    datasets = int(column(found, "datasets").sum())
    if datasets < 400:
        return within(float("nan"), 0.85, 0.95, note="fewer than 400 data sets", seeds=datasets)
    return within(float(column(found, f"held_{name}").sum()) / datasets, 0.85, 0.95, seeds=datasets)
