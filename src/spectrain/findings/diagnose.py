"""All questions that records alone can answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from spectrain.core import Block
from spectrain.findings.audit import audit
from spectrain.findings.descent import descent
from spectrain.findings.finding import Finding
from spectrain.findings.noise import noise
from spectrain.findings.randomness import randomness
from spectrain.findings.rank import rank
from spectrain.findings.regime import regime
from spectrain.records import Run

REPLICATES = 39
"""Simulated matrices behind each error of *randomness* where all questions are asked."""


def diagnose(run: Run, *, blocks: Sequence[Block] | None = None) -> list[Finding]:
    """Every finding of a run, in the order in which a page shows them.

    Args:
        run: an open run.
        blocks: the blocks to judge; all if not given.
    """
    random = partial(randomness, replicates=REPLICATES)
    questions = (descent, rank, noise, regime, random, audit)
    return [question(run, blocks=blocks) for question in questions]
