"""Claims of §4.2.1 on what a transformer block is made of."""

from __future__ import annotations

from spectrain_studies.descent.layered.primitives import PRIMITIVES
from spectrain_studies.descent.stated import claim_of_exponents
from spectrain_studies.descent.statistics import BOUNDED

PARTS = {"first derivative": ("first", BOUNDED), "second derivative": ("second", BOUNDED)}

claim_of_exponents(
    "derivatives-rms-norm",
    "§4.2.1, derivative bounds",
    "Derivatives of RMSNorm are bounded by constants where mean squares stay in an interval",
    "exponents in d of the largest ‖Df[u]‖ and ‖D²f[u, u]‖ that ascent finds, mean squares "
    "in [½, 2]",
    *(PRIMITIVES, "size", PARTS),
    kind="rms norm",
)
claim_of_exponents(
    "derivatives-softmax",
    "§4.2.1, derivative bounds",
    "Derivatives of the softmax are bounded by constants for all scores",
    "exponents in the length of the largest ‖Df[u]‖ and ‖D²f[u, u]‖ that ascent finds",
    *(PRIMITIVES, "size", PARTS),
    kind="softmax",
)
