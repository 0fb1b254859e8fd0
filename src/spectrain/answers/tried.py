"""What trials found, from the records of a run: for plans, for the terminal, for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spectrain.answers.descent.plan import Tried
from spectrain.core import Block, RunError, Step
from spectrain.records import Run
from spectrain.records.trials import read_trials

SPECTRAL = "muon"
"""The rule of a set-up whose step is spectral."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of a trial.

    Attributes:
        name: of the change.
        parameters: that it concerns.
        value: loss with it less that without, in the screening; ``None`` where it diverged.
        low: lower end of the interval.
        high: upper end.
        harm: probability of harm.
        adopted: whether it is part of the plan.
        note: why it is not.
    """

    name: str
    parameters: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None
    harm: float | None
    adopted: bool
    note: str


@dataclass(frozen=True, slots=True)
class Look:
    """One verification of a trial.

    Attributes:
        changes: names of the changes together.
        windows: snapshot and difference of held-out losses, window by window.
        courses: training losses of base and changed arm, window by window.
        expected: gain at the end of the run.
        low: lower end of its interval.
        high: upper end.
    """

    changes: tuple[str, ...]
    windows: tuple[tuple[int, float], ...]
    courses: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TrialTold:
    """One trial of a run.

    Attributes:
        step: at which arms forked, the last where there were several.
        statement: its outcome in a sentence.
        changes: the largest gain first.
        looks: in the order in which they were made.
        rules: rule of every parameter in the set-up that it supports.
        share: of the run that it cost.
        notes: what happened to it.
    """

    step: int
    statement: str
    changes: tuple[ChangeRow, ...]
    looks: tuple[Look, ...]
    rules: Mapping[str, str]
    share: float
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The outcome, and at which step."""
        return f"Trial at step {self.step:,}: {self.statement}"


def trials_of(run: Run) -> list[TrialTold]:
    """The trials of a run by step.

    Raises:
        RunError: a file of them is damaged.
    """
    return [_read(run, record) for record in read_trials(run.path)]


def evidence(trials: Iterable[TrialTold], blocks: Iterable[Block]) -> dict[str, Tried]:
    """What trials found of each block whose step they changed; later trials take precedence.

    Args:
        trials: by step.
        blocks: of the run.
    """
    by_block: dict[str, Tried] = {}
    known = tuple(blocks)
    for trial in trials:
        adopted = [change for change in trial.changes if change.adopted]
        concerned = {name for change in adopted for name in change.parameters}
        for look in trial.looks[-1:] if adopted else ():
            names = ", ".join(change.name for change in adopted)
            kept = {
                "basis": f"trial at step {trial.step:,}: {names}",
                "gain": -look.expected,
                "gain_low": -look.high,
                "gain_high": -look.low,
            }
            for block in known:
                if block.parameter in concerned and block.parameter in trial.rules:
                    spectral = trial.rules[block.parameter] == SPECTRAL
                    by_block[block.name] = Tried(
                        Step.SPECTRAL if spectral else Step.EUCLIDEAN, kept
                    )
    return by_block


def _read(run: Run, record: Mapping[str, Any]) -> TrialTold:
    try:
        rules = {n: str(p["rule"]) for n, p in record["setup"]["parameters"].items()}
        return TrialTold(
            record["step"],
            str(record["statement"]),
            tuple(map(_change, record["changes"])),
            tuple(map(_look, record["verifications"])),
            rules,
            float(record["share"]),
            tuple(map(str, record["notes"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"a trial of {run.path} lacks {error}", remedy="delete its file and try again"
        ) from None


def _change(record: Mapping[str, Any]) -> ChangeRow:
    effect = record["effect"] or {}
    value, low, high, harm = (_number(effect.get(k)) for k in ("value", "low", "high", "harm"))
    return ChangeRow(
        str(record["change"]),
        tuple(map(str, record["parameters"])),
        value,
        low,
        high,
        harm,
        bool(record["adopted"]),
        str(record["note"]),
    )


def _look(record: Mapping[str, Any]) -> Look:
    expected = record["expected"]
    return Look(
        tuple(map(str, record["changes"])),
        tuple((int(step), float(value)) for step, value in record["windows"]),
        tuple(
            (tuple(map(float, base)), tuple(map(float, other))) for base, other in record["courses"]
        ),
        *(float(expected[key]) for key in ("value", "low", "high")),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
