"""Claims on images: the machine as a regulator."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Measured,
    OnEvery,
    Result,
    Results,
    Within,
    near,
    planted,
)
from spectrain_studies.frame.statistics import rank_correlation
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.images.experiment import EMPTY, IMAGES, TRAINED
from spectrain_studies.randomness.study import STUDY

INFRARED = 10
"""So many modes of largest variance are called infrared."""
REGULATOR = "slide “Scalar field RBM as an ultraviolet regulator”"
SIZES = "slide “MNIST with N_h ≤ N_v”"
FIXED = "slide “MNIST with fixed RBM mass”"
FLAT = 0.01
"""Nats below which two likelihoods count as equal."""
ENOUGH = 0.5
"""Share of its way that a mode must have gone before a course is judged."""


def _on(result: Result, more: str = "") -> str:
    """Which images these are, and that they stand for MNIST where they do."""
    name = str(result["name"])
    data = f"{len(result['variances'])} modes of {name}"
    if name != "mnist":
        data += ", which stands in for the document's MNIST"
    return ". ".join(filter(None, (data, more)))


def _measured(value: Any, result: Result, note: str = "", **fields: Any) -> Measured:
    return Measured(value, note=_on(result, note), **fields)


def _spectrum(smallest: float, empty: int) -> Mapping[str, Any]:
    variances = 1 / smallest * 0.5 ** np.arange(20.0)
    variances[20 - empty :] = 0.0
    return {"variances": variances, "name": "planted"}


@STUDY.claim(
    "images-spectrum",
    source="slide “RBM as ultraviolet regulator”",
    statement="The inverse spectrum of MNIST's correlator is infrared safe and diverges in the "
    "ultraviolet",
    statistic="smallest κ, and number of modes without variance, where κ is infinite; correlator "
    "about the mean image",
    criterion=AllOf({"smallest κ": Above(0.01), "modes without variance": Above(0.5)}),
    needs=(IMAGES,),
    planted=planted(
        IMAGES, near(spread=0, **_spectrum(0.1, 3)), near(spread=0, **_spectrum(0.1, 0))
    ),
)
def images_spectrum(config: Config, images: Results) -> dict[str, Measured]:
    result = images.only()
    variances = result["variances"]
    empty = float((variances < EMPTY * variances[0]).sum())
    return {
        "smallest κ": _measured(float(1 / variances[0]), result),
        "modes without variance": _measured(empty, result),
    }


@STUDY.claim(
    "images-infrared-first",
    source=FIXED,
    statement="Infrared modes are learnt first",
    statistic="rank correlation, over modes, of the variance with how far x went towards μ² − κ",
    criterion=Above(0.2),
    needs=(TRAINED,),
)
def infrared_first(config: Config, trained: Results) -> Measured:
    result = trained.only()
    progress = _progress(result)
    told = {"progress of the ten infrared modes": progress[:INFRARED].tolist()}
    return _measured(rank_correlation(result["variances"], progress), result, details=told)


def _goals(result: Result) -> np.ndarray:
    """μ² − κ of the modes that can be learnt, 0 of the others."""
    variances, mass = result["variances"], result.case.mass_squared
    return np.maximum(mass - 1 / np.maximum(variances, EMPTY * variances[0]), 0)


def _progress(result: Result) -> np.ndarray:
    levels, goal = result["levels"], _goals(result)
    return np.asarray((levels[-1] - levels[0]) / np.where(goal > 0, goal, result.case.mass_squared))


def _learning(share: float) -> Any:
    """A machine whose every mode has gone that share of its way from x = 1."""
    variances = np.linspace(1.0, 0.2, 20)

    def levels(case: Any) -> np.ndarray:
        goal = case.mass_squared - 1 / variances
        return np.stack([1 + at * share * (goal - 1) for at in np.linspace(0, 1, 6)])

    return near(spread=1e-6, levels=levels, variances=variances, name="planted", rate=1.0)


@STUDY.claim(
    "images-infrared-correct",
    source=FIXED,
    statement="Infrared modes are learnt approximately correctly at μ² = 100",
    statistic="median of |λ/κ − 1| over the ten infrared modes at the end of training, once the "
    "tenth had the updates that it takes",
    criterion=Below(0.5),
    needs=(TRAINED,),
    planted=planted(TRAINED, _learning(1.0), _learning(0.5)),
)
def infrared_correct(config: Config, trained: Results) -> Measured:
    result = trained.only()
    kappa = 1 / result["variances"][:INFRARED]
    learned = result.case.mass_squared - result["levels"][-1][:INFRARED]
    needed = np.log(result.case.mass_squared) / (
        2 * result["rate"] * result["variances"][INFRARED - 1]
    )
    short = (
        f"Trained for {result.case.updates} updates, and at this α the tenth mode takes of the "
        f"order of {needed:.0f}"
    )
    return _measured(
        float(np.median(np.abs(learned / kappa - 1))),
        result,
        details={"λ": learned.tolist(), "κ": kappa.tolist()},
        unsettled=short if result.case.updates < needed else "",
    )


def _course(result: Result) -> np.ndarray:
    """Levels of the leading mode by the drift in closed form, dx/dt = 2(1/κ − 1/(μ² − x))x."""
    variance, mass = float(result["variances"][0]), result.case.mass_squared
    times = np.asarray(result["times"])
    path = solve_ivp(
        lambda _, x: 2 * (variance - 1 / (mass - np.minimum(x, mass - 1e-6))) * x,
        (0.0, float(times[-1])),
        [float(result["levels"][0][0])],
        t_eval=times,
        method="LSODA",
        rtol=1e-8,
    )
    return np.asarray(path.y[0])


@STUDY.claim(
    "images-drift",
    source="slide “Back to Dyson Brownian motion”",
    statement="The closed-form drift gives the course of the leading mode",
    statistic="largest |measured − integrated| of x over readings, over the way that the "
    f"integrated level went, once that is {ENOUGH:.0%} of its whole way to μ² − κ",
    criterion=Below(0.15),
    needs=(TRAINED,),
)
def images_drift(config: Config, trained: Results) -> Measured:
    result = trained.only()
    path, measured = _course(result), np.asarray(result["levels"])[:, 0]
    way = float(abs(path[-1] - path[0]))
    whole = float(abs(_goals(result)[0] - path[0]))
    hardly = f"The leading mode has gone {way / whole:.2%} of its way"
    return _measured(
        float(np.abs(path - measured).max() / max(way, 1e-300)),
        result,
        "Eigenvectors of the random start are not those of the data",
        details={"integrated": path.tolist(), "measured": measured.tolist()},
        unsettled=hardly if way < ENOUGH * whole else "",
    )


@STUDY.claim(
    "images-hidden-units",
    source=SIZES,
    statement="Removing ultraviolet modes costs generative power",
    statistic="held-out log-likelihood of the machine that has learnt what N_h allows, minus that "
    "of the next larger N_h",
    criterion=OnEvery("step of N_h", Below(0, "nats")),
    needs=(IMAGES,),
    planted=planted(
        IMAGES,
        near(
            held_out_by_hidden=lambda case: np.sqrt(np.array(case.hidden, dtype=float)),
            **_spectrum(0.1, 3),
        ),
        near(
            held_out_by_hidden=lambda case: -np.sqrt(np.array(case.hidden, dtype=float)),
            **_spectrum(0.1, 3),
        ),
    ),
)
def hidden_units(config: Config, images: Results) -> dict[str, Measured]:
    result = images.only()
    values = dict(zip(result.case.hidden, result["held_out_by_hidden"], strict=True))
    ordered = sorted(values, reverse=True)
    return {
        f"{more} to {less}": _measured(float(values[less] - values[more]), result)
        for more, less in pairwise(ordered)
    }


@STUDY.claim(
    "images-mass-too-low",
    source=REGULATOR,
    statement="Where μ² is below the largest κ, not all eigenvalues can be reproduced",
    statistic="number of modes with κ > μ², at μ² = 100",
    criterion=Above(0.5),
    needs=(IMAGES,),
)
def mass_too_low(config: Config, images: Results) -> Measured:
    """With what the next larger μ² gains in training likelihood, which is never below 0."""
    result = images.only()
    mass, masses = result.case.mass_squared, list(result.case.masses)
    here = masses.index(mass)
    gain = float(result["train_by_mass"][here + 1] - result["train_by_mass"][here])
    lost = float((result["variances"] < 1 / mass).sum())
    return _measured(lost, result, details={"gain of the next larger μ², nats": gain})


@STUDY.claim(
    "images-mass-regulates",
    source=REGULATOR,
    statement="μ² acts as a regulator: on held-out images some finite μ² is best",
    statistic="gain in held-out log-likelihood of the best μ² of the sweep over its largest",
    criterion=Above(FLAT, "nats"),
    needs=(IMAGES,),
    planted=planted(
        IMAGES,
        near(
            held_out_by_mass=lambda case: -(np.log(np.array(case.masses) / 1e3) ** 2),
            **_spectrum(0.1, 3),
        ),
        near(
            spread=0,
            held_out_by_mass=lambda case: np.array([0.0, *np.ones(len(case.masses) - 1)]),
            **_spectrum(0.1, 3),
        ),
    ),
)
def mass_regulates(config: Config, images: Results) -> Measured:
    """Where it still rises at an end of the sweep, what lies beyond is not known."""
    result = images.only()
    values = np.asarray(result["held_out_by_mass"])
    details = {f"μ² = {m:g}": float(v) for m, v in zip(result.case.masses, values, strict=True)}
    best = int(values.argmax())
    inner = {0: 1, len(values) - 1: -2}.get(best)
    at_end = inner is not None and values[best] - values[inner] > FLAT
    return _measured(
        float(values.max() - values[-1]),
        result,
        details=details,
        unsettled="The best μ² is at an end of those tried" if at_end else "",
    )


@STUDY.claim(
    "images-samples-energy",
    source=SIZES,
    statement="A handful of hidden units still generates the large structures",
    statistic="energy of samples in the learnt modes at the smallest N_h over that at the largest",
    criterion=Within(0.05, 0.95),
    needs=(IMAGES,),
    planted=planted(
        IMAGES,
        near(energy=lambda case: np.linspace(1, 0.5, len(case.hidden)), **_spectrum(0.1, 3)),
        near(energy=lambda case: np.linspace(1, 0.01, len(case.hidden)), **_spectrum(0.1, 3)),
    ),
)
def samples_energy(config: Config, images: Results) -> Measured:
    result = images.only()
    return _measured(float(result["energy"][-1] / result["energy"][0]), result)
