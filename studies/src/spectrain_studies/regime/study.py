"""The study: what it asks, at which scales, and what is thinned there."""

from __future__ import annotations

from spectrain_studies.frame import Study
from spectrain_studies.regime.config import PAPER, QUICK, THINNED, Config

DOCUMENT = (
    "“A Minimal Mathematical Model Capturing Both Noise-Dominated and Signal-Dominated Training "
    "Regimes” (anonymous)"
)

STUDY: Study[Config] = Study(
    "regime",
    title=(
        "Which parameters sit in the equilibrium of noise and weight decay, and which follow the "
        "signal?"
    ),
    document=DOCUMENT,
    scales={"quick": QUICK, "paper": PAPER},
    thinned=THINNED,
)
