"""The study object, to which claims and figures are added."""

from __future__ import annotations

from spectrain_studies.frame import Study
from spectrain_studies.rank.config import PAPER, QUICK, THINNED

DOCUMENT = "“Information Flow & Gradient Quality Hypothesis”"

STUDY = Study(
    "rank",
    title="Do gradients collapse in rank, and what does orthonormalizing them do?",
    document=DOCUMENT,
    scales={"quick": QUICK, "paper": PAPER},
    thinned=THINNED,
)
