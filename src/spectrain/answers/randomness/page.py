"""The page's section on randomness: what each spectrum is beside a random bulk."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.finding import Finding, Group
from spectrain.answers.question import Part
from spectrain.answers.randomness.row import VERDICTS, RandomnessRow
from spectrain.core import Block
from spectrain.page.elements import missing, verdict_chip
from spectrain.page.format import MISSING, number, percent
from spectrain.page.html import Html, element, name
from spectrain.records import Run

MOST_BLOCKS = 150

_COLUMNS = (
    ("Block", "name of the parameter, or of the part of it that is the block"),
    ("Spectrum", "what it is beside a random bulk"),
    ("Random bulk", "share of the eigenvalues that belong to it, ± its standard error"),
    ("Spikes", "eigenvalues that stand significantly apart"),
    ("Zeros", "numerical zeros among the eigenvalues, taken out before the fit"),
    ("p", "probability that a random matrix fits the law no better"),
    ("Width", "variance of the bulk over that at the first recorded step, ± its standard error"),
    ("By noise", "share of the gain in variance that noise of the updates' size would make"),
)


def part(run: Run, blocks: Sequence[Block], finding: Finding[RandomnessRow, Group]) -> Part | None:
    """The table, or why there is none; nothing where no weight has a spectrum."""
    title = "Spectra of the weights beside a random bulk"
    known = [row for row in finding.rows if row.tail is not None]
    if not finding.rows:
        return None
    if not known:
        return Part(title, (missing(finding.statement),))
    note = (
        "Eigenvalues σ² of each weight at the last recorded step against the law of a random "
        "matrix (Marchenko-Pastur). What is exactly zero or repeated is taken out before."
    )
    return Part(title, (element("p", note, class_="note"), _table(finding.rows)))


def _table(rows: Sequence[RandomnessRow]) -> Html:
    head = element(
        "tr",
        *(
            element("th", text, title=why, scope="col", class_="number" if place > 1 else None)
            for place, (text, why) in enumerate(_COLUMNS)
        ),
    )
    body = (_row(row) for row in rows[:MOST_BLOCKS])
    table = element("table", element("thead", head), element("tbody", *body), id="randomness")
    return element(
        "div",
        table,
        class_="scroll regimes",
        tabindex="0",
        role="region",
        aria_label="Spectra of the weights",
    )


def _row(row: RandomnessRow) -> Html:
    verdict = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return element(
        "tr",
        element("th", name(row.block), scope="row"),
        element("td", verdict, title=row.reason),
        _number(_with_error(row.bulk_fraction, row.bulk_fraction_error, share=True)),
        _number(MISSING if row.spikes is None else f"{row.spikes:,}"),
        _number(MISSING if row.zeros is None else f"{row.zeros:,}"),
        _number(number(row.p_value, 2)),
        _number(_with_error(row.width, row.width_error), title=row.width_reason),
        _number(percent(row.brownian)),
    )


def _with_error(value: float | None, error: float | None, *, share: bool = False) -> str:
    if value is None:
        return MISSING
    told = f"{100 * value:.3g} %" if share else number(value)
    if error is None:
        return told
    return f"{told} ± {100 * error:.2g} %" if share else f"{told} ± {number(error, 2)}"


def _number(text: str, *, title: str | None = None) -> Html:
    return element("td", text, class_="number", title=title)
