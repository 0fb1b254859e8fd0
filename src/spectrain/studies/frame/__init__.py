"""The frame that every study fills: experiments leave outcomes, claims judge them.

config  ->  cases  ->  outcomes (on disk, resumable)  ->  judgements, figures  ->  ledger
"""

from spectrain.studies.frame.execute import execute
from spectrain.studies.frame.experiment import Experiment, Result, Results
from spectrain.studies.frame.judgement import (
    Judgement,
    Verdict,
    above,
    below,
    combined,
    undecided,
    untestable,
    within,
)
from spectrain.studies.frame.ledger import StudyResult, ledger
from spectrain.studies.frame.settings import override
from spectrain.studies.frame.study import Claim, FigureMaker, Study
from spectrain.sweeps import Outcome

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
