"""Answers from records alone: descent, rank, noise, regime and the audit of updates."""

from spectrain.findings.audit import audit
from spectrain.findings.descent import descent
from spectrain.findings.diagnose import diagnose
from spectrain.findings.finding import Finding, Label, Status
from spectrain.findings.noise import noise
from spectrain.findings.plan import OpenAs, plan_of
from spectrain.findings.rank import rank
from spectrain.findings.regime import regime
from spectrain.findings.select import select_blocks

__all__ = [
    "Finding",
    "Label",
    "OpenAs",
    "Status",
    "audit",
    "descent",
    "diagnose",
    "noise",
    "plan_of",
    "rank",
    "regime",
    "select_blocks",
]
