"""The study: what it asks, at which scales, and what is thinned there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from spectrain_studies.frame import Judgement, Results, Study, Verdict
from spectrain_studies.regime.config import PAPER, QUICK, Config

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
    thinned={
        "quick": (
            "Runs last 1 to 2 relaxation times instead of 5 to 6: claims about an equilibrium are "
            "undecided there.",
            "N = 1,024 and 5 seeds; grids of 3 or 4 values; the GPT is tuned with 2 trials.",
        ),
        "paper": (
            "The document states d = 10, η = λ = 0.01, B = 16 and nothing of N, target, seeds, "
            "steps and grids; nothing that it states is thinned.",
            "The GPT (2 layers, width 48) is not in the document; its search has 10 trials a side.",
        ),
    },
)

ENOUGH = 5.0
"""Relaxation times after which a run is taken to have settled."""

Judge = Callable[..., Judgement]


def settled(sweep: str) -> Callable[[Judge], Judge]:
    """Decorate a judge of equilibrium values: undecided where the runs of a sweep are too short.

    Args:
        sweep: the field of the configuration that says how long they are.
    """

    def wrap(judge: Judge) -> Judge:
        @wraps(judge)
        def judged(config: Config, *results: Results) -> Judgement:
            found, length = judge(config, *results), getattr(config, sweep).relaxations
            if length >= ENOUGH:
                return found
            note = f"{length:g} relaxation times are too few for an equilibrium. {found.note}"
            return replace(found, verdict=Verdict.UNDECIDED, note=note.strip())

        return judged

    return wrap
