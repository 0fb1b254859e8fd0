"""The page's section on randomness: what each spectrum is beside a random bulk."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.finding import Finding, Group
from spectrain.answers.question import Part
from spectrain.answers.randomness.row import VERDICTS, RandomnessRow
from spectrain.core import Block
from spectrain.page.elements import missing, verdict_chip
from spectrain.page.format import MISSING, number, percent
from spectrain.page.html import Html, element, name, shorten
from spectrain.page.table import sortable
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
    rows = (_row(row) for row in finding.rows[:MOST_BLOCKS])
    table = sortable(_COLUMNS, rows, id="randomness", label="spectra of the weights")
    return Part(title, (element("p", note, class_="note"), table))


def _row(row: RandomnessRow) -> Html:
    verdict = verdict_chip(row.verdict, VERDICTS[row.verdict].mark)
    return element(
        "tr",
        element("th", name(row.block), scope="row", data_block=shorten(row.block)),
        element("td", verdict, data_hint=row.reason),
        _number(
            _with_error(row.bulk_fraction, row.bulk_fraction_error, share=True), row.bulk_fraction
        ),
        _number(MISSING if row.spikes is None else f"{row.spikes:,}", row.spikes),
        _number(MISSING if row.zeros is None else f"{row.zeros:,}", row.zeros),
        _number(number(row.p_value, 2), row.p_value),
        _number(_with_error(row.width, row.width_error), row.width, why=row.width_reason),
        _number(percent(row.brownian), row.brownian),
    )


def _with_error(value: float | None, error: float | None, *, share: bool = False) -> str:
    if value is None:
        return MISSING
    text = f"{100 * value:.3g} %" if share else number(value)
    if error is None:
        return text
    return f"{text} ± {100 * error:.2g} %" if share else f"{text} ± {number(error, 2)}"


def _number(text: str, order: float | None, *, why: str | None = None) -> Html:
    return element("td", text, class_="number", data_sort=order, data_hint=why)
