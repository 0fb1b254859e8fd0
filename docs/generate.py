"""Pages' tables out of the code: what the code says of itself is said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import partial
from importlib import import_module
from json import loads
from pathlib import Path
from typing import Any

import polars as pl
from campaigns import page as campaigns

from spectrain.answers import QUESTIONS, Question
from spectrain.calibration import read, table
from spectrain.core import MEANINGS, QUANTITIES, Quantity, Registry, usual_step
from spectrain.matrix import ENTRY_MEASURES, MEASURES
from spectrain.network.families import FAMILIES
from spectrain.noise import NOISE_MEASURES
from spectrain.records.schema import SAMPLE, SCHEMAS
from spectrain.regime.measures import REGIME_MEASURES
from spectrain.stability import STABILITY_MEASURES
from spectrain_studies import STUDIES, load_study
from spectrain_studies.frame.chance import chance_table
from spectrain_studies.frame.coverage import coverage_overview, coverage_section
from spectrain_studies.frame.document import read_document
from spectrain_studies.frame.ledger import overview, section
from spectrain_studies.frame.unsettled import read_unsettled, unsettled_table
from spectrain_studies.rank.arms import ARMS
from spectrain_studies.rank.four_answers.page import answers

REGISTRIES: dict[str, Registry] = {
    "Measures of a matrix": MEASURES,
    "Measures of entries": ENTRY_MEASURES,
    "Measures of gradient noise": NOISE_MEASURES,
    "Measures of persistence": REGIME_MEASURES,
    "Measures of channels": STABILITY_MEASURES,
}
"""Every registry of measures, under the heading that the glossary gives it."""

CALIBRATION = Path(__file__).parent / "calibration.json"
"""What ``python -m spectrain.calibration`` counted."""

RECORDERS = (
    "spectrain.monitor",
    "spectrain.monitor.observer",
    "spectrain.checkpoint.differences",
    "spectrain.checkpoint.inspect",
    "spectrain.checkpoint.weightwatcher",
)
"""Modules that declare what they record when they are imported."""

SUPPORT = Path(__file__).parent / "support.json"
"""What ``python -m support.table`` found in each mode of training."""

LEDGER = Path(__file__).parent / "ledger"
"""What ``spectrain study run NAME --scale paper --json`` gave, a file a study."""


def write_pages(folder: Path) -> None:
    """Write every generated table into ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "measures.md").write_text(glossary(REGISTRIES), "utf-8")
    (folder / "calibration.md").write_text(table(read(CALIBRATION)), "utf-8")
    (folder / "campaigns.md").write_text(campaigns.render(), "utf-8")
    (folder / "questions.md").write_text(questions(QUESTIONS), "utf-8")
    (folder / "metrics.md").write_text(columns("metrics"), "utf-8")
    (folder / "quantities.md").write_text(recorded(all_quantities().values()), "utf-8")
    results = [loads(file.read_text("utf-8")) for file in sorted(LEDGER.glob("*.json"))]
    stated = {name: [*load_study(name).claims.values()] for name in STUDIES}
    (folder / "claims.md").write_text(overview(results), "utf-8")
    for result in results:
        name = result["study"]
        (folder / f"claims_{name}.md").write_text(section(result, stated[name]), "utf-8")
    every = [claim for claims in stated.values() for claim in claims]
    rows = {row["id"]: row for result in results for row in result["claims"]}
    (folder / "chance.md").write_text(chance_table(every, rows), "utf-8")
    (folder / "coverage.md").write_text(coverage(rows), "utf-8")
    known = {name: read_unsettled(name) for name in STUDIES}
    open_ones = unsettled_table(known, rows, [claim.id for claim in every])
    (folder / "unsettled.md").write_text(open_ones, "utf-8")
    (folder / "support.md").write_text(support(loads(SUPPORT.read_text("utf-8"))), "utf-8")
    ranks = [result for result in results if result["study"] == "rank"]
    (folder / "rank_answers.md").write_text(answers(ranks[0] if ranks else None), "utf-8")
    arms = ((f"`{arm.name}`", arm.what) for arm in ARMS.values())
    (folder / "rank_arms.md").write_text(_table(("arm", "what is trained"), arms), "utf-8")
    (folder / "spectra.md").write_text(columns("spectra"), "utf-8")
    told = ((f"`{role}`", meaning, str(usual_step(role))) for role, meaning in MEANINGS.items())
    header = ("role", "what the matrix does", "usual step")
    (folder / "roles.md").write_text(_table(header, told), "utf-8")
    families = ((family.name, family.models) for family in FAMILIES)
    (folder / "families.md").write_text(_table(("naming family", "models"), families), "utf-8")


def listed(noun: type[StrEnum]) -> str:
    """The names that an enumeration allows."""
    return ", ".join(f"`{member}`" for member in noun)


def glossary(registries: Mapping[str, Registry]) -> str:
    """One entry a measure: name, formula, unit, meaning, source."""
    parts = []
    for heading, registry in registries.items():
        parts.append(f"## {heading}\n")
        for measure in registry.values():
            meaning = (measure.function.__doc__ or "").strip().splitlines()[0]
            meaning = meaning.replace("*", r"\*").replace("_", r"\_")
            parts.append(
                f"### {measure.name}\n\n`{measure.formula}`\n\n{meaning}\n\n"
                f"Unit: {measure.unit}. Source: {measure.citation}.\n"
            )
    return "\n".join(parts)


def all_quantities() -> Mapping[str, Quantity]:
    """What spectrain records: whatever the modules that record have declared."""
    for recorder in RECORDERS:
        import_module(recorder)
    return QUANTITIES


def recorded(quantities: Iterable[Quantity]) -> str:
    """One row a measure: the sources that have it, unit, formula and citation."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for q in quantities:
        formula = q.formula if q.index is None else f"{q.formula}; index: {q.index}"
        key = (f"`{q.measure}`", q.unit, formula.replace("|", r"\|"), q.citation)
        alike.setdefault(key, []).append(str(q.source))
    rows = [(key[0], ", ".join(sources), *key[1:]) for key, sources in alike.items()]
    return _table(("measure", "source", "unit", "formula", "taken from"), rows)


def questions(registry: Mapping[str, Question[Any, Any]]) -> str:
    """One entry a question: what it asks, its verdicts, the function that answers it."""
    parts = []
    for question in registry.values():
        answer = question.answer
        function = answer.func if isinstance(answer, partial) else answer
        path = f"{function.__module__}.{function.__name__}"
        verdicts = ((f"{t.mark} {name}", t.meaning) for name, t in question.verdicts.items())
        parts += [
            f"### {question.name}\n\n{question.text}\n",
            _table(("verdict", "given where"), verdicts),
            f"```{{eval-rst}}\n.. autofunction:: {path}\n```\n",
        ]
    return "\n".join(parts)


def coverage(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """What each document states, and the claims that test it."""
    studies = {name: load_study(name) for name in STUDIES}
    documents = {name: document for name in STUDIES if (document := read_document(name)).stated}
    claims = [claim for study in studies.values() for claim in study.claims]
    sections = [
        coverage_section(studies[name], document, claims, rows)
        for name, document in documents.items()
    ]
    return "\n".join([coverage_overview(documents, claims), *sections])


def columns(table: str) -> str:
    """Columns of a table of the run folder, with their types."""
    rows = [(name, _type(dtype)) for name, dtype in SCHEMAS[table].items() if name != SAMPLE]
    return _table(("column", "type"), rows)


def support(table: Mapping[str, Mapping[str, str]]) -> str:
    """Modes of training by what is recorded in them."""
    headings = list(next(iter(table.values())))
    rows = [(mode, *(cells[name] for name in headings)) for mode, cells in table.items()]
    return _table(("mode", *headings), rows)


def _type(dtype: pl.DataType) -> str:
    return str(dtype).replace("List(Float32)", "list of Float32")


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
