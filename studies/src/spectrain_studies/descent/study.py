"""The study: what it asks, and at which scales."""

from __future__ import annotations

from spectrain_studies.descent.config import PAPER, QUICK, THINNED, Config
from spectrain_studies.frame import Study

STUDY: Study[Config] = Study(
    "descent",
    title="Which blocks should take spectral updates, and which Euclidean ones?",
    document=(
        "Davis & Drusvyatskiy, “When do spectral gradient updates help in deep learning?”, "
        "arXiv:2512.04299"
    ),
    scales={"quick": QUICK, "paper": PAPER},
    thinned=THINNED,
)
