"""The study: what it asks, at which scales, and what is thinned there."""

from __future__ import annotations

from spectrain_studies.frame import Study
from spectrain_studies.stability.config import PAPER, QUICK, THINNED, Config

DOCUMENT = "this project: what the answer on stability is worth"

STUDY: Study[Config] = Study(
    "stability",
    title=(
        "Is a divergence announced before the loss shows it, and is a layer that learns at the "
        "wrong pace named?"
    ),
    document=DOCUMENT,
    scales={"quick": QUICK, "paper": PAPER},
    thinned=THINNED,
)
