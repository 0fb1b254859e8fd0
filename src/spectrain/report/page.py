"""The page of a run: verdicts beside the loss, and all else folded, in one HTML file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from spectrain.answers import QUESTIONS, Finding, diagnose, events
from spectrain.answers.question import Part
from spectrain.answers.series import last_step
from spectrain.answers.tried import trials_of
from spectrain.core import Block, RunError
from spectrain.page.curves import Curve, loss_curves, sampled_steps, thinned
from spectrain.page.elements import chart, counted, fold, missing
from spectrain.page.html import Html, asset, document, element, join, shorten
from spectrain.records import Run
from spectrain.records.layout import write_whole
from spectrain.report.clock import read_clock
from spectrain.report.courses import Courses, read_courses
from spectrain.report.densities import read_densities
from spectrain.report.facts import configuration, cost, headline, skipped
from spectrain.report.glossary import glossary, names_of, terms
from spectrain.report.grids import Grid, grid_rows, read_grids
from spectrain.report.milestones import Milestone, milestones, read_gradient_norm, read_rates
from spectrain.report.strip import sign, strip
from spectrain.report.table import MOST_ROWS, asks_for_attention, blocks_table
from spectrain.report.trials import trials_part
from spectrain.report.waterfall import DECADES, Picker, read_waterfalls

MOST_RATES = 6
"""Courses of the learning rate that are drawn."""


def render(
    run: Run,
    path: str | os.PathLike[str],
    *,
    blocks: Sequence[Block] | None = None,
    findings: Sequence[Finding[Any, Any]] | None = None,
) -> Path:
    """Write the page of a run: one file, below 8 MB, that opens without a network.

    Args:
        run: an open run, finished or not.
        path: the file to write.
        blocks: the blocks to show; all if not given.
        findings: of :func:`~spectrain.answers.diagnose` over these blocks, if at hand.

    Returns:
        The path.

    Raises:
        RunError: the file cannot be written.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    answers = diagnose(run, blocks=chosen) if findings is None else list(findings)
    curves, grids, picker = loss_curves(run), read_grids(run, chosen), read_waterfalls(run, chosen)
    courses, marks = read_courses(run, chosen), milestones(run, chosen)
    parts = {finding.name: part for finding in answers if (part := _part(run, chosen, finding))}
    trials = trials_of(run)
    entries = terms(courses.measures)
    rows = grid_rows(chosen)
    numbers = {(row.role, row.depth): number for number, row in enumerate(rows)}
    data = {
        "curves": [asdict(curve) for curve in curves],
        "rates": [asdict(curve) for curve in _rates(run)],
        "norm": [asdict(curve) for curve in _norm(run)],
        "milestones": [asdict(mark) for mark in marks],
        "clock": asdict(read_clock(run)),
        "last": last_step(run),
        "sampled": sampled_steps(run),
        "rows": [asdict(row) for row in rows],
        "blocks": {shorten(b.name): numbers[str(b.role), b.depth] for b in chosen},
        "grids": [asdict(grid) for grid in grids],
        "waterfalls": waterfall_data(picker),
        "courses": asdict(courses) | {"blocks": [shorten(name) for name in courses.blocks]},
        "densities": {
            shorten(block): asdict(density)
            for block, density in read_densities(run, chosen, answers).items()
        },
        "terms": names_of(entries),
        "answers": {name: part.data for name, part in parts.items()},
    }
    folds = [
        _findings(answers),
        _heatmaps(grids),
        block_section(picker, courses),
        _blocks(run, chosen, answers),
        *(fold(name, part.title, "", *part.body) for name, part in parts.items()),
        *([trials_part(trials)] if trials else []),
        fold("colophon", "About this run", "", skipped(run), cost(run), configuration(run)),
        glossary(entries),
    ]
    over_steps = bool(
        curves or any(grid.steps for grid in grids) or any(p.over_steps for p in parts.values())
    )
    contents = [
        ("verdicts", "Verdicts"),
        ("loss", "Loss"),
        ("findings", "Evidence"),
        ("heatmaps", "Layers"),
        ("spectrum", "One block"),
        ("table", "Blocks"),
        *((name, QUESTIONS[name].name.capitalize()) for name in parts),
        *([("trials", "Trials")] if trials else []),
        ("colophon", "About"),
        ("glossary", "Glossary"),
    ]
    body = join(
        headline(run, chosen),
        bar(contents, step_tools() if over_steps else ""),
        element(
            "main",
            _list(events(run), "events"),
            element("div", strip(answers), _loss(marks, drawn=bool(curves)), class_="first"),
            *folds,
        ),
    )
    return write_page(
        path,
        document(
            f"{run.path.name} · spectrain",
            body,
            data=data,
            scripts=page_scripts("loss.js", "heatmaps.js", "block.js", parts=_scripts()),
        ),
    )


def _part(run: Run, blocks: Sequence[Block], finding: Finding[Any, Any]) -> Part | None:
    make = QUESTIONS[finding.name].part
    return None if make is None else make(run, blocks, finding)


def _rates(run: Run) -> list[Curve]:
    """Learning rates, every course once."""
    return [thinned(group, rows) for group, rows in read_rates(run).items()][:MOST_RATES]


def _norm(run: Run) -> list[Curve]:
    norm = read_gradient_norm(run)
    return [thinned("gradient norm", norm)] if norm.height else []


def _scripts() -> Iterator[str]:
    """The scripts of the questions' parts."""
    for question in QUESTIONS.values():
        if question.script is not None:
            yield asset("page.js", package=question.script)


def page_scripts(*own: str, parts: Iterable[str] = ()) -> tuple[str, ...]:
    """Plotly, what all pages share, a page's own scripts, those of its parts, and the start."""
    first = ("charts.js", "choice.js", "tables.js", "hints.js", *own)
    return get_plotlyjs(), *map(asset, first), *parts, asset("start.js")


def write_page(path: str | os.PathLike[str], page: str) -> Path:
    """Write a page in one step, with the folders it lies in.

    Raises:
        RunError: the file cannot be written.
    """
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunError(
            f"cannot write the page {file}: {error.strerror or error}",
            remedy="choose another file with --out, or free disk space",
        ) from error
    return file


def bar(contents: Sequence[tuple[str, str]], tools: str) -> Html:
    """What stays at the top: the contents, and what acts on every chart."""
    links = (
        element("li", element("a", label, href=f"#{place}", data_to=place))
        for place, label in contents
    )
    unfold = element("button", "Unfold all", type="button", id="unfold", aria_pressed="false")
    return element(
        "nav",
        element("ul", *links, class_="contents"),
        element("div", tools, unfold, class_="tools"),
        aria_label="Contents and tools",
        class_="bar",
    )


def step_tools() -> Html:
    """What acts on all charts over steps: unit and scale of the axis, smoothing, range."""
    scales = (
        element("label", element("input", type="radio", name="scale", value=scale), text)
        for scale, text in (("linear", "linear"), ("log", "logarithmic"))
    )
    ends = (
        element("label", text, element("input", type="number", id=f"zoom-{end}", min=0, step=1))
        for end, text in (("from", "from step "), ("to", " to "))
    )
    return element(
        "details",
        element("summary", "Axis", element("span", ", smoothing, range", class_="wide")),
        element(
            "div",
            element("label", "Axis in ", element("select", id="axis")),
            element(
                "fieldset",
                element("legend", "Scale", class_="aside"),
                *scales,
                class_="scale",
                id="scale",
            ),
            element(
                "label",
                "Smoothing ",
                element("input", type="range", id="smoothing", min=0, max=0.99, step=0.01, value=0),
            ),
            element("span", *ends, element("button", "whole run", type="button", id="zoom-out")),
            element("p", "Or drag over a chart; press twice for the whole run.", class_="aside"),
            class_="panel",
        ),
        class_="menu",
        id="step-tools",
    )


def finding_card(finding: Finding[Any, Any]) -> Html:
    """What a finding says, its evidence and its limits."""
    status = f"status-{str(finding.status).replace(' ', '-')}"
    return element(
        "article",
        element(
            "p",
            sign(finding.sign),
            element("span", str(finding.status), class_=f"status {status}"),
            element("span", str(finding.label), class_="label"),
            class_="tags",
        ),
        element("h3", finding.question),
        element("p", finding.statement, class_="statement"),
        _list(finding.to_do, "advice"),
        element("p", finding.confidence, class_="confidence") if finding.confidence else "",
        _list(finding.limits, "limits"),
        class_="finding",
        id=f"finding-{finding.name}",
        tabindex="-1",
    )


def _list(items: Sequence[str], kind: str) -> Html:
    return element("ul", *(element("li", item) for item in items), class_=kind) if items else Html()


def _findings(findings: Sequence[Finding[Any, Any]]) -> Html:
    return fold(
        "findings",
        "Evidence behind the verdicts",
        f"{counted(len(findings), 'question')}, each with what it rests on and what it leaves open",
        element("div", *(finding_card(finding) for finding in findings), class_="findings"),
    )


def _loss(marks: Sequence[Milestone], *, drawn: bool) -> Html:
    title = element("h2", "Loss", class_="small")
    if not drawn:
        text = missing("No loss was logged: call run.log(loss=…).")
        return element("section", title, text, id="loss", aria_label="Loss")
    entries = (
        element(
            "li",
            element("b", mark.kind),
            f" step {mark.step:,}. {mark.text}",
        )
        for mark in marks
    )
    return element(
        "section",
        title,
        chart("loss-chart", "Loss, learning rate and gradient norm"),
        element(
            "details",
            element("summary", counted(len(marks), "mark"), " on the chart"),
            element("ol", *entries, class_="milestones"),
            class_="marks",
        )
        if marks
        else "",
        id="loss",
        aria_label="Loss",
    )


def _heatmaps(grids: Sequence[Grid]) -> Html:
    title = "Roles and layers through training"
    drawn = [grid for grid in grids if grid.steps]
    if not drawn:
        return fold("heatmaps", title, "", missing("No gradient, update or input is recorded."))
    note = (
        "One row for the blocks of a role in a layer (their median, where there are several), from "
        "the first layer down to the last. A sample's colour reaches halfway to its neighbours. "
        "Press a row to choose its block everywhere."
    )
    charts = (
        element(
            "figure",
            element("figcaption", element("b", grid.title), f" {grid.unit}"),
            element("div", class_="legend", id=f"legend-{grid.key}"),
            chart(f"grid-{grid.key}", grid.title),
        )
        for grid in drawn
    )
    return fold(
        "heatmaps",
        title,
        ", ".join(grid.title.lower() for grid in drawn),
        element("p", note, class_="note"),
        element("div", *charts, class_="grids"),
    )


def waterfall_data(picker: Picker) -> dict[str, Any]:
    """Spectra for the script of :func:`block_section`."""
    return asdict(picker) | {
        "decades": DECADES,
        "blocks": [shorten(name) for name in picker.blocks],
    }


def block_section(picker: Picker, courses: Courses | None = None) -> Html:
    """One block that the reader chooses: its spectra, their density, any measure's course."""
    title = "One block"
    names = picker.blocks if courses is None else courses.blocks
    if not names:
        return fold("spectrum", title, "", missing("No spectra are recorded."))
    options = (element("option", shorten(n), value=shorten(n)) for n in names)
    kinds = (element("option", source, value=source) for source in picker.sources)
    omitted = f" {counted(picker.omitted, 'block')} found no place here." if picker.omitted else ""
    note = (
        "Singular values at the first, a middle and the last sample, and all samples as a map; "
        "eigenvalues of the weights with their fitted random bulk."
    )
    figures = []
    if picker.sources:
        figures = [
            _figure("overlay-chart", "Spectrum", "first, middle and last sample"),
            _figure("map-chart", "Spectrum through training", "log₁₀ of σ over the largest"),
        ]
    figures.append(_figure("density-chart", "Eigenvalues of the weights", "bulk, edges, spikes"))
    controls = [
        element("label", "Block ", element("select", *options, id="block")),
        element("label", "Matrix ", element("select", *kinds, id="source"))
        if picker.sources
        else "",
    ]
    if courses is not None and courses.measures:
        measured = (
            element("option", measure.replace("_", " ").replace("/", ": "), value=number)
            for number, measure in enumerate(courses.measures)
        )
        controls.append(element("label", "Measure ", element("select", *measured, id="measured")))
        figures.append(_figure("course-chart", "Course of the measure", ""))
    return fold(
        "spectrum",
        title,
        "its spectra, their density, and any measure through training",
        element("p", note + omitted, class_="note"),
        element("p", *controls, class_="controls"),
        element("div", *figures, class_="pairs"),
    )


def _figure(place: str, title: str, note: str) -> Html:
    caption = element("figcaption", element("b", title), f" {note}")
    return element("figure", caption, chart(place, title), element("p", class_="absent", hidden=""))


def _blocks(run: Run, blocks: Sequence[Block], findings: Sequence[Finding[Any, Any]]) -> Html:
    if not blocks:
        return fold("table", "Blocks", "", missing("The run has no blocks."))
    many = sum(1 for _ in asks_for_attention(blocks, findings))
    note = "Those that ask for attention come first. Press a heading to sort, a name to choose."
    if len(blocks) > MOST_ROWS:
        note += f" The first {MOST_ROWS:,} of {len(blocks):,}; spectrain advise lists all."
    asks = "asks" if many == 1 else "ask"
    hint = f"{counted(len(blocks), 'block')}, {many:,} of them {asks} for attention"
    return fold(
        "table",
        "Blocks",
        hint,
        element("p", note, class_="note"),
        blocks_table(run, blocks, findings),
    )
