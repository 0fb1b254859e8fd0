"""The outcome of a study as plain data, and as a page of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from spectrain.records.manifest import to_plain
from spectrain_studies.frame.judgement import Judgement, Verdict
from spectrain_studies.frame.study import Claim

Row: TypeAlias = Mapping[str, Any]
"""A claim with its verdict, as plain data."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study found at one scale.

    Attributes:
        study: its name.
        title: what it asks.
        document: the source document.
        scale: ``quick``, ``paper`` or another of the study's scales.
        seconds: time from start to end of this call.
        compute_seconds: time of all cases, earlier calls included, added up over processes.
        claims: claims with their judgements.
        figures: files of the figures.
        problems: cases and figures that failed, and why.
        thinned: what is smaller than in the document.
        settings: the configuration.
        environment: versions and machine.
    """

    study: str
    title: str
    document: str
    scale: str
    seconds: float
    compute_seconds: float
    claims: Sequence[tuple[Claim, Judgement]]
    figures: Sequence[str]
    problems: Sequence[str]
    thinned: Sequence[str]
    settings: Any
    environment: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain: dict[str, Any] = to_plain(
            {
                "study": self.study,
                "title": self.title,
                "document": self.document,
                "scale": self.scale,
                "seconds": self.seconds,
                "compute_seconds": self.compute_seconds,
                "claims": [_row(claim, judgement) for claim, judgement in self.claims],
                "figures": list(self.figures),
                "problems": list(self.problems),
                "thinned": list(self.thinned),
                "settings": self.settings,
                "environment": self.environment,
            }
        )
        return plain


def _row(claim: Claim, judgement: Judgement) -> dict[str, Any]:
    row = asdict(judgement)
    row["verdict"] = str(judgement.verdict)
    names = ("id", "source", "statement", "reading", "statistic", "criterion")
    return {name: str(getattr(claim, name)) for name in names} | row


def tally(verdicts: Iterable[str]) -> str:
    """How many claims got each verdict, in words.

    Example:
        >>> tally(["fails", "holds", "holds"])
        '2 holds, 1 fails'
    """
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


def overview(results: Sequence[Mapping[str, Any]]) -> str:
    """A table of the studies: what each asks, and how many of its claims got which verdict."""
    lines = ["| study | it asks | claims | verdicts |", "| --- | --- | --- | --- |"]
    for result in results:
        rows, name = result["claims"], result["study"]
        verdicts = tally(row["verdict"] for row in rows)
        lines.append(
            f"| [{name}](claims/{name}.md) | {result['title']} | {len(rows)} | {verdicts} |"
        )
    return "\n".join([*lines, ""])


def section(result: Mapping[str, Any], stated: Sequence[Claim] = ()) -> str:
    """The claims of one study, topic by topic.

    Args:
        result: :meth:`StudyResult.to_dict`.
        stated: the claims as they are now, which have topics; those that the result lacks are
            listed as not run.
    """
    environment = ", ".join(f"{key} {value}" for key, value in result["environment"].items())
    lines = [
        f"## {result['study']}\n",
        f"{result['title']} Source: {result['document']}.\n",
        f"Scale *{result['scale']}*: {_counted(result['claims'])}. "
        f"{result['compute_seconds'] / 60:.0f} minutes of computing; {environment}.\n",
        f"One claim again: `spectrain study run {result['study']} --scale {result['scale']} "
        "--claim ID`.\n",
    ]
    if result["thinned"]:
        lines.append("Smaller than in the document:\n")
        lines += [f"- {entry}" for entry in result["thinned"]]
        lines.append("")
    topics = {claim.id: claim.topic for claim in stated}
    of_topic: dict[str, list[list[Row]]] = {}
    for group in _statements(result["claims"]):
        of_topic.setdefault(topics.get(group[0]["id"], ""), []).append(group)
    for topic, groups in of_topic.items():
        lines += [f"### {topic}\n"] if topic else []
        lines += [_table(group) if len(group) > 1 else _entry(group[0]) for group in groups]
    listed_ids = {row["id"] for row in result["claims"]}
    waiting = [claim for claim in stated if claim.id not in listed_ids]
    if waiting:
        lines.append("### Not run\n\nAt this scale since they were last changed:\n")
        lines += [
            f"- `{claim.id}`: {safe(claim.statement)}; criterion: {safe(str(claim.criterion))}."
            for claim in waiting
        ]
        lines.append("")
    return "\n".join(lines)


def _statements(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by statement: readings of one stand together."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        own = "" if row.get("reading") else row["id"]
        groups.setdefault((row["source"], row["statement"], own), []).append(row)
    return list(groups.values())


def _counted(rows: Sequence[Row]) -> str:
    """How many verdicts, and on how many statements where some are read in several ways."""
    statements, counts = len(_statements(rows)), tally(row["verdict"] for row in rows)
    return (
        counts
        if statements == len(rows)
        else f"{statements} statements, some read in several ways, in {len(rows)} claims: {counts}"
    )


def _table(rows: Sequence[Row]) -> str:
    """One statement and its readings."""
    first = rows[0]
    lines = [
        f"{safe(first['statement'])} ({safe(first['source'])}). One statement in {len(rows)} "
        "readings:\n",
        "| verdict | reading | statistic | measured | criterion | claim |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        words = (cell(row[key]) for key in ("reading", "statistic"))
        tail = f"{measured(row)} | {safe(row['criterion'])} | `{row['id']}`"
        lines.append(f"| **{row['verdict']}** | {' | '.join(words)} | {tail} |")
    notes = dict.fromkeys(note for row in rows if (note := _note(row)))
    return "\n".join([*lines, "", *(f"{note}.\n" for note in notes)])


def _entry(row: Mapping[str, Any]) -> str:
    seeds = "" if row["seeds"] is None else f", {row['seeds']} seeds"
    note = f" {text}" if (text := _note(row)) else ""
    return (
        f"**{row['verdict']}** `{row['id']}` ({safe(row['source'])})\n"
        f": {safe(row['statement'])}.\\\n  *{safe(row['statistic'])}: {measured(row)}{seeds}; "
        f"criterion: {safe(row['criterion'])}.*{note}\n"
    )


def _note(row: Row) -> str:
    """What a reader must know besides: the note, and settings that were not those of the ledger."""
    settings = ", ".join(f"{name} = {_short(value)}" for name, value in _settings(row).items())
    run_at = f"Run at {safe(settings)}" if settings else ""
    return ". ".join(filter(None, (safe(row["note"]), run_at)))


def _settings(row: Row) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = row.get("settings", {})
    return settings


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def measured(row: Mapping[str, Any]) -> str:
    """The measured value with its interval or its error.

    Example:
        >>> measured({"measured": 2.0, "error": 0.1, "low": 1.8, "high": 2.2})
        '2 (1.8 to 2.2)'
    """
    if row["measured"] is None:
        return "not measured"
    value = f"{row['measured']:.4g}"
    if row["low"] is not None and row["low"] != row["high"]:
        return f"{value} ({row['low']:.4g} to {row['high']:.4g})"
    return value if row["error"] is None else f"{value} ± {row['error']:.2g}"


def safe(text: str) -> str:
    """Text in which Markdown sees no markup."""
    for mark in "\\*_`[]<>$":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split()).removesuffix(".")


def cell(text: str) -> str:
    """The same in a cell of a table."""
    return safe(text).replace("|", r"\|")
