"""The page that says which claims test what the documents say, and what no claim tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from spectrain_studies.frame.document import Document, Statement, Untested, matching
from spectrain_studies.frame.ledger import cell, safe, tally
from spectrain_studies.frame.study import Study

NOT_RUN = "not run"


def coverage_overview(documents: Mapping[str, Document], claims: Iterable[str]) -> str:
    """How many statements of each document are tested, and why the others are not.

    Args:
        documents: by study.
        claims: ids of all claims.
    """
    known = list(claims)
    header = ("document of", "statements", "tested", *Untested, "claims beyond it")
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for name, document in documents.items():
        reasons = Counter(statement.none for statement in document.stated)
        cells = [len(document.stated), reasons[None], *(reasons[reason] for reason in Untested)]
        names = chain(*(matching(each.claims, name, known).values() for each in document.beyond))
        beyond = len(set(chain(*names)))
        lines.append(f"| [{name}](#{name}) | {' | '.join(map(str, cells))} | {beyond} |")
    return "\n".join([*lines, ""])


def coverage_section(
    study: Study[Any],
    document: Document,
    claims: Iterable[str],
    rows: Mapping[str, Mapping[str, Any]],
) -> str:
    """Every statement of one document with the claims that test it and their verdicts.

    Args:
        study: whose document it is.
        document: what it states.
        claims: ids of all claims, of other studies too.
        rows: entries of the ledgers by claim.
    """
    known = list(claims)

    def told(patterns: Sequence[str]) -> str:
        by_pattern = matching(patterns, study.name, known)
        return "; ".join(f"`{p}`: {_verdicts(names, rows)}" for p, names in by_pattern.items())

    def tested(statement: Statement) -> str:
        if statement.none is None:
            return told(statement.claims)
        return f"*{statement.none}*" + (f": {cell(statement.why)}" if statement.why else "")

    lines = [f"## {study.name}\n", f"{study.document}.\n", "| place | it says | tested by |"]
    lines.append("| --- | --- | --- |")
    lines += [
        f"| {cell(each.place)} | {cell(each.says)} | {tested(each)} |" for each in document.stated
    ]
    lines += ["", "Claims on what the document does not say:\n"]
    lines += [f"- {safe(each.why)}: {told(each.claims)}." for each in document.beyond]
    return "\n".join([*lines, ""])


def _verdicts(names: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    known = [rows[name]["verdict"] for name in names if name in rows]
    waiting = len(names) - len(known)
    if len(names) == 1:
        return known[0] if known else NOT_RUN
    return ", ".join(filter(None, (tally(known), f"{waiting} {NOT_RUN}" if waiting else "")))
