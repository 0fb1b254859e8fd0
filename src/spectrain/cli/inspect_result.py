"""What ``spectrain inspect`` reports: as data, as a table, as an exit status."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from spectrain.answers import Finding
from spectrain.answers.randomness.row import FEWEST
from spectrain.checkpoint.differences import INTERFERENCE
from spectrain.checkpoint.inspect import Inspection
from spectrain.checkpoint.odd import odd_blocks
from spectrain.checkpoint.rules import Rule
from spectrain.checkpoint.summary import (
    groups_frame,
    left_out_frame,
    lora_ranks,
    weightwatcher_frame,
    weightwatcher_summary,
)
from spectrain.cli.fitted_table import Row
from spectrain.cli.terminal import say, show_fitted
from spectrain.core import InputError
from spectrain.report.health import health_frame, is_difference, moved

RULE_BROKEN = 1
INCOMPLETE = 3

RANDOMNESS_RULES = ("bulk_fraction", "spikes", "exponent")
"""Fields of the finding *randomness* that a rule may speak of."""

MOST_STEPS = 5
"""With more checkpoints than this, the table shows only the last."""

MOST_LINES = 20
"""Lines that are shown of each list below the table."""

_WEIGHTS = ("operator_norm", "stable_rank", "nuclear_rank", "effective_rank")
_CHANGES = (
    "relative_change",
    "signal_rank",
    "lora_rank",
    "stable_rank",
    "left_overlap",
    "right_overlap",
)
_WEIGHTWATCHER = (
    "alpha",
    "sigma",
    "D",
    "num_pl_spikes",
    "log_norm",
    "stable_rank",
    "mp_softrank",
    "num_spikes",
    "rand_num_spikes",
)


@dataclass(frozen=True)
class Result:
    """An inspection with what was asked of it.

    Attributes:
        inspection: the records.
        findings: about the randomness of the weights, or none.
        rules: that no block may meet.
    """

    inspection: Inspection
    findings: Sequence[Finding[Any, Any]]
    rules: Sequence[Rule]

    @property
    def is_difference(self) -> bool:
        """Whether two checkpoints were compared."""
        return is_difference(self.inspection.run)

    @cached_property
    def blocks(self) -> pl.DataFrame:
        """A row for each block and step, with what was found of its randomness."""
        return health_frame(self.inspection.run, self.findings)

    @cached_property
    def weightwatcher(self) -> pl.DataFrame:
        """WeightWatcher's columns; empty if they were not asked for."""
        return weightwatcher_frame(self.inspection.run)

    @property
    def mean_distance(self) -> float | None:
        """Mean ‖W₁ − W₀‖_F over the blocks of a difference: WeightWatcher's distance of models."""
        if "relative_change" not in self.blocks.columns:
            return None
        distances = self.blocks["frobenius_norm"].drop_nulls()
        return float(distances.mean()) if distances.len() else None  # type: ignore[arg-type]

    @cached_property
    def judged(self) -> pl.DataFrame:
        """All that a rule may speak of, a row a number.

        Matrices too narrow for a random bulk cannot break a rule about it.
        """
        metrics = self.inspection.run.metrics()
        rows = [
            (
                *(row.step, row.block, name, getattr(row, name)),
                *(getattr(row, f"{name}_error", None), row.reason),
            )
            for finding in self.findings
            for row in finding.rows
            if min(row.shape) >= FEWEST
            for name in RANDOMNESS_RULES
        ]
        schema = {
            name: metrics.schema[name]
            for name in ("step", "block", "measure", "value", "error", "reason")
        }
        randomness = pl.DataFrame(rows, schema=schema, orient="row")
        return pl.concat([metrics.select(*schema), randomness])

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """Every rule with the blocks that break it and those that do not let it be judged."""
        metrics = self.judged
        names = ["step", "block", "value", "reason"]
        return [
            {
                "rule": str(rule),
                "broken": rule.broken_by(metrics).select(names).to_dicts(),
                "undecided": rule.undecided_by(metrics).select(names).to_dicts(),
            }
            for rule in self.rules
        ]

    @property
    def status(self) -> int:
        """The exit status."""
        if any(verdict["broken"] for verdict in self.verdicts):
            return RULE_BROKEN
        lacking = any(verdict["undecided"] for verdict in self.verdicts)
        empty = not self.inspection.run.blocks
        return INCOMPLETE if self.inspection.incomplete or lacking or empty else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        run = self.inspection.run
        return {
            "status": self.status,
            "checkpoints": run.manifest["config"]["checkpoints"],
            "threads": run.manifest["config"]["threads"],
            "blocks": _plain(self.blocks),
            "roles": _plain(groups_frame(self.blocks, "role")),
            "depths": _plain(groups_frame(self.blocks, "depth")),
            "lora": lora_ranks(self.blocks, run) if self.is_difference else None,
            "odd": [] if self.is_difference else _plain(odd_blocks(self.blocks)),
            "weightwatcher": _plain(self.weightwatcher),
            "weightwatcher_summary": _plain(weightwatcher_summary(self.weightwatcher)),
            "mean_distance": self.mean_distance,
            "left_out": _plain(left_out_frame(run)),
            "skipped": [asdict(skip) for skip in run.skipped],
            "incomplete": [asdict(skip) for skip in self.inspection.incomplete],
            "rules": self.verdicts,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def write_csv(self, path: Path) -> None:
        """Write a row for each block, with WeightWatcher's columns where they were asked for.

        Raises:
            InputError: the file cannot be written.
        """
        frame = self.weightwatcher if self.weightwatcher.height else self.blocks
        try:
            harmless(frame).write_csv(path)
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be written: {error.strerror}", remedy="check the path"
            ) from None


def show(result: Result, by: Literal["block", "role", "depth"]) -> None:
    """Print the table and what there is to say about it."""
    facts = result.inspection.run.manifest["config"]["checkpoints"]
    for one in facts if len(facts) <= MOST_STEPS else (facts[0], facts[-1]):
        notes = "".join(f"; {note}" for note in one["notes"])
        step = f", step {one['step']:,}" if one["step"] else ""
        say(f"{one['name']}: {one['format']}{step}, {one['blocks']} blocks{notes}")
    frame, described, measures = _chosen(result, by)
    if len(facts) > MOST_STEPS:
        frame = frame.filter(pl.col("step") == frame["step"].max())
        say(f"the last of {len(facts):,} checkpoints is shown; --csv and --json have all")
    _table(frame, described, measures)
    for row in weightwatcher_summary(result.weightwatcher).tail(1).iter_rows(named=True):
        means = [
            f"{name} {row[name]:.4g}"
            for name in row
            if name not in {"step", "layers"} and row[name] is not None
        ]
        say(f"means over {row['layers']} layers: {', '.join(means)}")
    if (distance := result.mean_distance) is not None:
        say(f"mean distance of the blocks, ‖W₁ − W₀‖_F: {distance:.4g}")
    for finding in result.findings:
        say(f"{finding.question} {finding.statement}")
    if result.is_difference:
        far, still = moved(result.blocks)
        _list("moved most", [f"{block}: by {change:.2g} of its norm" for block, change in far])
        _list("did not move", still)
    _list("odd", _odd(result))
    _list("without an answer", [f"{s.parameter}: {s.reason}" for s in result.inspection.incomplete])
    for verdict in result.verdicts:
        _list(f"breaks {verdict['rule']}", [_compared(row) for row in verdict["broken"]])
        _list(f"cannot be judged by {verdict['rule']}", [_why(r) for r in verdict["undecided"]])
    left_out = left_out_frame(result.inspection.run)
    for row in left_out.iter_rows(named=True):
        say(f"left out: {row['reason']}, {_count(row['tensors'], 'tensor')}")
    if left_out.height:
        say("--json lists each by name")


def _count(number: int, of: str) -> str:
    return f"{number:,} {of}{'' if number == 1 else 's'}"


def _shown(result: Result) -> tuple[str, ...]:
    if "change_cosine" in result.blocks.columns:
        return INTERFERENCE
    return _CHANGES if result.is_difference else _WEIGHTS


def _chosen(
    result: Result, by: Literal["block", "role", "depth"]
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """What the table shows: rows, columns that describe them, measures."""
    if result.weightwatcher.height:
        known = [name for name in _WEIGHTWATCHER if name in result.weightwatcher.columns]
        return result.weightwatcher, ["name"], known
    if by == "block":
        random = ("bulk_fraction", "spikes", "exponent", "tail") if result.findings else ()
        return result.blocks, ["block", "role", "method"], [*_shown(result), *random]
    groups = groups_frame(result.blocks, by)
    stacks = by == "depth" and groups["stack"].str.len_chars().sum() > 0
    return groups, [*["stack"][:stacks], by, "blocks"], list(_shown(result))


def _table(frame: pl.DataFrame, described: list[str], measures: list[str]) -> None:
    title, *others = described
    series = ["step"] if frame["step"].n_unique() > 1 else []
    rows = []
    for row in frame.iter_rows(named=True):
        cells = [_cell(row[name]) for name in (*series, *others)]
        cells += [_cell(row[name], row.get(f"{name}_error")) for name in measures]
        reason = str(row.get("reason") or "")
        rows.append(Row(_cell(row[title]), cells, reason))
    show_fitted(
        title,
        [*series, *others, *measures],
        rows,
        numbers=(*series, *measures),
        last=("method", "role", "tail", "exponent", "spikes", "nuclear_rank"),
    )


def _cell(value: object, error: float | None = None) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" + (f" ± {error:.2g}" if error else "")
    return "–" if value is None else str(value)


def _odd(result: Result) -> list[str]:
    if result.is_difference:
        return []
    return [
        f"{row['block']}: {row['measure']} {row['value']:.4g}, typical of its role is "
        f"{row['typical']:.4g}"
        for row in odd_blocks(result.blocks).iter_rows(named=True)
    ]


def _compared(row: dict[str, Any]) -> str:
    return f"{row['block']}: {row['value']:.4g}"


def _why(row: dict[str, Any]) -> str:
    return f"{row['block']}: {row['reason']}"


def _list(title: str, lines: Sequence[str]) -> None:
    for line in lines[:MOST_LINES]:
        say(f"{title}: {line}")
    if len(lines) > MOST_LINES:
        say(f"{title}: and {len(lines) - MOST_LINES:,} more; --json lists all")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    r"""Texts that a spreadsheet does not take for a formula, nor a terminal for a control sequence.

    A text that begins with one of ``= + - @`` is preceded by an apostrophe; control characters are
    shown as ``�``.

    Source:
        OWASP, CSV Injection.

    Example:
        >>> harmless(pl.DataFrame({"a": ["=1+1", "b\x1b[2J"]})).to_series().to_list()
        ["'=1+1", 'b�[2J']
    """
    text = pl.selectors.string().str.replace_all(r"\p{C}", "�")
    guarded = text.str.replace(r"^\s*[=+\-@]", "'${0}")
    return frame.with_columns(guarded)


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, where a number that is not finite has no place."""
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.iter_rows(named=True)
    ]
