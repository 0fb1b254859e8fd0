"""The study, and the sections of its document."""

from __future__ import annotations

from spectrain_studies.frame import Study
from spectrain_studies.noise.config import SCALES, THINNED, Config

DOCUMENT = "“Multiplicative noise model for minibatch gradients”"
SETUP, ADDITIVE, MODEL = "Setup", "Additive noise baseline", "Left–right multiplicative noise model"
BASIS = "Working in the SVD basis"
VECTORS = "Effect on singular vectors (first-order perturbation theory)"
ECHO, COORDINATES = "Connection to spectral echo", "Reparameterization invariance"
OBSERVABLES = "Empirical observables"
REFERENCE = "reference implementation of spectral echo"

STUDY: Study[Config] = Study(
    "noise",
    title="Is the noise of minibatch gradients multiplicative, and what does it do to directions?",
    document=DOCUMENT,
    scales=SCALES,
    thinned=THINNED,
)
