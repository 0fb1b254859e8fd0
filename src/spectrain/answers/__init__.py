"""Answers from records alone, one folder a question."""

from spectrain.answers.audit import audit
from spectrain.answers.descent import Tried, descent, plan_of
from spectrain.answers.diagnose import diagnose
from spectrain.answers.events import events
from spectrain.answers.finding import Finding, Group, Label, Row, Sign, Status
from spectrain.answers.noise import noise
from spectrain.answers.noise.samples import read_directions
from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.randomness import randomness
from spectrain.answers.rank import rank
from spectrain.answers.regime import regime
from spectrain.answers.select import select_blocks
from spectrain.answers.stability import stability

__all__ = [
    "QUESTIONS",
    "Finding",
    "Group",
    "Label",
    "Question",
    "Row",
    "Sign",
    "Status",
    "Tried",
    "audit",
    "descent",
    "diagnose",
    "noise",
    "plan_of",
    "randomness",
    "rank",
    "read_directions",
    "regime",
    "select_blocks",
    "stability",
]
