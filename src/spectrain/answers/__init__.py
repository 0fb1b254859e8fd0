"""Answers from records alone, one folder a question."""

# isort: off
# The order in which questions are registered is that in which they are shown.
from spectrain.answers.descent import OpenAs, descent, plan_of
from spectrain.answers.rank import rank
from spectrain.answers.noise import noise
from spectrain.answers.regime import regime
from spectrain.answers.randomness import randomness
from spectrain.answers.audit import audit

# isort: on
from spectrain.answers.diagnose import diagnose
from spectrain.answers.events import events
from spectrain.answers.finding import Finding, Group, Label, Row, Sign, Status
from spectrain.answers.question import QUESTIONS, Question
from spectrain.answers.select import select_blocks

__all__ = [
    "QUESTIONS",
    "Finding",
    "Group",
    "Label",
    "OpenAs",
    "Question",
    "Row",
    "Sign",
    "Status",
    "audit",
    "descent",
    "diagnose",
    "events",
    "noise",
    "plan_of",
    "randomness",
    "rank",
    "regime",
    "select_blocks",
]
