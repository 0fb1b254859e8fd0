"""The frame that every study fills: experiments leave outcomes, claims judge them.

config  ->  cases  ->  outcomes (on disk, resumable)  ->  judgements, figures  ->  ledger
"""

from spectrain.sweeps import Outcome
from spectrain_studies.frame.execute import execute
from spectrain_studies.frame.experiment import Experiment, Result, Results
from spectrain_studies.frame.judgement import (
    Judgement,
    Verdict,
    above,
    below,
    combined,
    undecided,
    untestable,
    within,
)
from spectrain_studies.frame.ledger import StudyResult, ledger
from spectrain_studies.frame.settings import override
from spectrain_studies.frame.study import Claim, FigureMaker, Study

__all__ = [
    "Claim",
    "Experiment",
    "FigureMaker",
    "Judgement",
    "Outcome",
    "Result",
    "Results",
    "Study",
    "StudyResult",
    "Verdict",
    "above",
    "below",
    "combined",
    "execute",
    "ledger",
    "override",
    "undecided",
    "untestable",
    "within",
]
