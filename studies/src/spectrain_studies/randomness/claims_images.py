"""Claims on images: the machine as a regulator."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.stats import spearmanr

from spectrain_studies.frame import Judgement, Results, above, below, combined, within
from spectrain_studies.randomness.config import Config
from spectrain_studies.randomness.images import EMPTY, IMAGES, TRAINED
from spectrain_studies.randomness.study import STUDY

INFRARED = 10
"""So many modes of largest variance are called infrared."""


@STUDY.claim(
    "images-spectrum",
    source="slide “RBM as ultraviolet regulator”",
    statement="The inverse spectrum of MNIST's correlator is infrared safe and diverges in the "
    "ultraviolet",
    statistic="smallest κ, and number of modes (of 784) without variance, where κ is infinite",
    criterion="smallest κ above 0.01, and at least one mode without variance",
    needs=(IMAGES,),
)
def images_spectrum(config: Config, images: Results) -> Judgement:
    variances = images.only()["variances"]
    empty = int((variances < EMPTY * variances[0]).sum())
    return combined(
        {
            "smallest κ": above(float(1 / variances[0]), 0.01),
            "modes without variance": above(float(empty), 0.5),
        },
        note=f"{len(variances)} modes; correlator about the mean image.",
    )


@STUDY.claim(
    "images-infrared-first",
    source="slide “MNIST with fixed RBM mass”",
    statement="Infrared modes are learnt first and approximately correctly",
    statistic="rank correlation, over modes, of the variance with how far x went towards μ² − κ",
    criterion="above 0.2",
    needs=(TRAINED,),
)
def infrared_first(config: Config, trained: Results) -> Judgement:
    result = trained.only()
    progress = _progress(result)
    rho = float(spearmanr(result["variances"], progress).statistic)
    return above(rho, 0.2, details={"progress of the ten infrared modes": progress[:10].tolist()})


@STUDY.claim(
    "images-infrared-correct",
    source="slide “MNIST with fixed RBM mass”",
    statement="Infrared modes are learnt approximately correctly at μ² = 100",
    statistic="median of |λ/κ − 1| over the ten infrared modes at the end of training",
    criterion="below 0.5",
    needs=(TRAINED,),
)
def infrared_correct(config: Config, trained: Results) -> Judgement:
    result = trained.only()
    kappa = 1 / result["variances"][:INFRARED]
    learned = result.case.mass_squared - result["levels"][-1][:INFRARED]
    gap = np.abs(learned / kappa - 1)
    needed = 2.3 / (result["rate"] * result["variances"][INFRARED - 1])
    return below(
        float(np.median(gap)),
        0.5,
        details={"λ": learned.tolist(), "κ": kappa.tolist()},
        note=f"Trained for {result.case.updates} updates; at this α, the tenth mode takes of the "
        f"order of {needed:.0f}: a learning rate that the stiffest mode bears is too small for "
        "the others.",
    )


def _progress(result: object) -> np.ndarray:
    variances, levels = result["variances"], result["levels"]  # type: ignore[index]
    mass = result.case.mass_squared  # type: ignore[attr-defined]
    goal = np.maximum(mass - 1 / np.maximum(variances, EMPTY * variances[0]), 0)
    return np.asarray((levels[-1] - levels[0]) / np.where(goal > 0, goal, mass))


@STUDY.claim(
    "images-drift",
    source="slide “Back to Dyson Brownian motion”",
    statement="The closed-form drift gives the course of the leading mode",
    statistic="|measured − integrated| of x over μ², first mode, largest over readings",
    criterion="below 0.15",
    needs=(TRAINED,),
)
def images_drift(config: Config, trained: Results) -> Judgement:
    result = trained.only()
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
    gap = np.abs(path.y[0] - result["levels"][:, 0]) / mass
    return below(
        float(gap.max()),
        0.15,
        details={"integrated": path.y[0].tolist(), "measured": result["levels"][:, 0].tolist()},
        note="Eigenvectors of the random start are not those of the data.",
    )


@STUDY.claim(
    "images-hidden-units",
    source="slide “MNIST with N_h ≤ N_v”",
    statement="Removing ultraviolet modes costs generative power",
    statistic="held-out log-likelihood of the machine that has learnt what N_h allows: steps from "
    "each N_h to the next smaller, in nats",
    criterion="all below 0",
    needs=(IMAGES,),
)
def hidden_units(config: Config, images: Results) -> Judgement:
    result = images.only()
    values = dict(zip(result.case.hidden, result["held_out_by_hidden"], strict=True))
    ordered = [float(values[n]) for n in sorted(values, reverse=True)]
    return below(
        float(np.diff(ordered).max()),
        0.0,
        details={str(n): float(value) for n, value in values.items()},
    )


@STUDY.claim(
    "images-mass-too-low",
    source="slide “Scalar field RBM as an ultraviolet regulator”",
    statement="Where μ² is below the largest κ, not all eigenvalues can be reproduced",
    statistic="number of modes with κ > μ² at μ² = 100, and the training likelihood's gain at the "
    "next larger μ², in nats",
    criterion="both above 0",
    needs=(IMAGES,),
)
def mass_too_low(config: Config, images: Results) -> Judgement:
    result = images.only()
    mass = result.case.mass_squared
    lost = int((result["variances"] < 1 / mass).sum())
    masses = list(result.case.masses)
    here = masses.index(mass)
    gain = float(result["train_by_mass"][here + 1] - result["train_by_mass"][here])
    return combined({"modes": above(float(lost), 0.5), "gain": above(gain, 0.0)})


@STUDY.claim(
    "images-mass-regulates",
    source="slide “Scalar field RBM as an ultraviolet regulator”",
    statement="μ² acts as a regulator: on held-out images some finite μ² is best",
    statistic="place of the best μ² among those swept, from 0 to 1",
    criterion="between the ends: above 0.01 and below 0.99",
    needs=(IMAGES,),
)
def mass_regulates(config: Config, images: Results) -> Judgement:
    result = images.only()
    values = np.asarray(result["held_out_by_mass"])
    place = int(values.argmax()) / (len(values) - 1)
    details = {f"μ² = {m:g}": float(v) for m, v in zip(result.case.masses, values, strict=True)}
    return within(place, 0.01, 0.99, details=details)


@STUDY.claim(
    "images-samples-energy",
    source="slide “MNIST with N_h ≤ N_v”",
    statement="A handful of hidden units still generates the large structures",
    statistic="energy of samples in the learnt modes at the smallest N_h over that at the largest",
    criterion="between 0.05 and 0.95",
    needs=(IMAGES,),
)
def samples_energy(config: Config, images: Results) -> Judgement:
    energy = images.only()["energy"]
    return within(float(energy[-1] / energy[0]), 0.05, 0.95)
