"""The frame that every study fills: experiments leave outcomes, claims judge them.

config  ->  cases  ->  outcomes (on disk, resumable)  ->  judgements, figures  ->  ledger
"""

from spectrain.sweeps import Outcome
from spectrain_studies.frame.conjunction import AllOf, OnEvery, combined
from spectrain_studies.frame.criteria import (
    Above,
    Always,
    Below,
    Criterion,
    Differs,
    Near,
    Skill,
    Within,
)
from spectrain_studies.frame.direct import above, below, within
from spectrain_studies.frame.discovery import discover
from spectrain_studies.frame.execute import execute
from spectrain_studies.frame.experiment import Experiment, Result, Results
from spectrain_studies.frame.judgement import Judgement, Verdict, undecided, untestable
from spectrain_studies.frame.ledger import StudyResult
from spectrain_studies.frame.margins import Negative, Positive
from spectrain_studies.frame.measured import Found, Measured, Untestable, unsettle
from spectrain_studies.frame.planted import near, planted
from spectrain_studies.frame.settings import override
from spectrain_studies.frame.study import Claim, FigureMaker, Planted, Study

__all__ = [
    "Above",
    "AllOf",
    "Always",
    "Below",
    "Claim",
    "Criterion",
    "Differs",
    "Experiment",
    "FigureMaker",
    "Found",
    "Judgement",
    "Measured",
    "Near",
    "Negative",
    "OnEvery",
    "Outcome",
    "Planted",
    "Positive",
    "Result",
    "Results",
    "Skill",
    "Study",
    "StudyResult",
    "Untestable",
    "Verdict",
    "Within",
    "above",
    "below",
    "combined",
    "discover",
    "execute",
    "near",
    "override",
    "planted",
    "undecided",
    "unsettle",
    "untestable",
    "within",
]
