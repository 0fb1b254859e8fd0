"""The study: random-matrix dynamics of weights."""

from __future__ import annotations

from spectrain_studies.frame import Study
from spectrain_studies.randomness.config import PAPER, QUICK, THINNED, Config

DOCUMENT = (
    "Aarts, “Stochastic gradient descent and Random Matrix Theory” (with Park, Lucini, Hajizadeh)"
)

STUDY: Study[Config] = Study(
    "randomness",
    title="Do the eigenvalues of weights under SGD follow Dyson Brownian motion?",
    document=DOCUMENT,
    scales={"quick": QUICK, "paper": PAPER},
    thinned=THINNED,
)
