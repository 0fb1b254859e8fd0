"""The page of a run: findings, curves, heatmaps, spectra, blocks, cost, in one HTML file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

from spectrain.answers import QUESTIONS, Finding, diagnose, events
from spectrain.answers.question import Part
from spectrain.core import Block, RunError
from spectrain.page.curves import Curve, loss_curves, sampled_steps
from spectrain.page.elements import chart, missing, section
from spectrain.page.html import Html, asset, document, element
from spectrain.records import Run
from spectrain.records.layout import write_whole
from spectrain.report.facts import configuration, cost, definitions, headline, skipped
from spectrain.report.grids import Grid, grid_rows, read_grids
from spectrain.report.table import MOST_ROWS, blocks_table
from spectrain.report.waterfall import DECADES, Picker, read_waterfalls


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
    found = diagnose(run, blocks=chosen) if findings is None else list(findings)
    curves, grids, picker = loss_curves(run), read_grids(run, chosen), read_waterfalls(run, chosen)
    parts = {finding.name: part for finding in found if (part := _part(run, chosen, finding))}
    data = {
        "curves": [asdict(curve) for curve in curves],
        "sampled": sampled_steps(run),
        "rows": [asdict(row) for row in grid_rows(chosen)],
        "grids": [asdict(grid) for grid in grids],
        "waterfalls": asdict(picker) | {"decades": DECADES},
        "answers": {name: part.data for name, part in parts.items()},
    }
    body = element(
        "main",
        headline(run, chosen),
        _list(events(run), "events"),
        section("findings", "What the records say", *(finding_card(finding) for finding in found)),
        step_scale() if _over_steps(curves, grids, parts.values()) else "",
        _loss(drawn=bool(curves)),
        _heatmaps(grids),
        spectrum_section(picker),
        *(section(name, part.title, *part.body) for name, part in parts.items()),
        _blocks(run, chosen, found),
        section("colophon", "About this run", skipped(run), cost(run), configuration(run)),
        definitions(),
    )
    title = f"{run.path.name} · spectrain"
    return write_page(
        path,
        document(
            title,
            body,
            data=data,
            scripts=(*page_scripts("spectra.js", "page.js"), *_scripts()),
        ),
    )


def _part(run: Run, blocks: Sequence[Block], finding: Finding[Any, Any]) -> Part | None:
    make = QUESTIONS[finding.name].part
    return None if make is None else make(run, blocks, finding)


def _over_steps(curves: Sequence[Curve], grids: Sequence[Grid], parts: Iterable[Part]) -> bool:
    """Whether some chart has steps as its axis."""
    drawn = any(grid.steps for grid in grids) or any(part.over_steps for part in parts)
    return bool(curves) or drawn


def _scripts() -> Iterator[str]:
    """The scripts of the questions' parts."""
    for question in QUESTIONS.values():
        if question.script is not None:
            yield asset("page.js", package=question.script)


def page_scripts(*own: str) -> tuple[str, ...]:
    """Plotly, what all pages share, and a page's own scripts."""
    return get_plotlyjs(), asset("charts.js"), *map(asset, own)


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


def step_scale() -> Html:
    """The choice between linear and logarithmic steps, for all charts over steps."""
    choices = (
        element("label", element("input", type="radio", name="scale", value=scale), text)
        for scale, text in (("linear", "linear"), ("log", "logarithmic"))
    )
    return element("fieldset", element("legend", "Steps"), *choices, class_="scale", id="scale")


def finding_card(finding: Finding[Any, Any]) -> Html:
    """What a finding says, its evidence and its limits."""
    told = f"status-{str(finding.status).replace(' ', '-')}"
    return element(
        "article",
        element(
            "p",
            element("span", str(finding.status), class_=f"status {told}"),
            element("span", str(finding.label), class_="label"),
            class_="tags",
        ),
        element("h3", finding.question),
        element("p", finding.statement, class_="statement"),
        _list(finding.advice, "advice"),
        element("p", finding.confidence, class_="confidence") if finding.confidence else "",
        _list(finding.limits, "limits"),
        class_="finding",
    )


def _list(items: Sequence[str], kind: str) -> Html:
    return element("ul", *(element("li", item) for item in items), class_=kind) if items else Html()


def _loss(*, drawn: bool) -> Html:
    if not drawn:
        return section("loss", "Loss", missing("No loss was logged: call run.log(loss=…)."))
    note = "Ticks below the curve mark the steps at which spectra were taken."
    return section("loss", "Loss", element("p", note, class_="note"), chart("loss-chart", "Loss"))


def _heatmaps(grids: Sequence[Grid]) -> Html:
    title = "Roles and layers through training"
    drawn = [grid for grid in grids if grid.steps]
    if not drawn:
        return section("heatmaps", title, missing("No gradient, update or input is recorded."))
    note = (
        "One row for the blocks of a role in a layer (their median, where there are several), from "
        "the first layer down to the last. A sample's colour reaches halfway to its neighbours."
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
    return section(
        "heatmaps",
        title,
        element("p", note, class_="note"),
        element("div", *charts, class_="grids"),
    )


def spectrum_section(picker: Picker) -> Html:
    """The spectrum of a block that the reader chooses."""
    title = "The spectrum of one block"
    if not picker.blocks:
        return section("spectrum", title, missing("No spectra are recorded."))
    options = (element("option", name, value=number) for number, name in enumerate(picker.blocks))
    kinds = (element("option", source, value=source) for source in picker.sources)
    note = "Singular values relative to the largest. Both directions are logarithmic."
    if any(len(waterfall.steps) > 1 for waterfall in picker.waterfalls.values()):
        note = (
            "Singular values relative to the largest of their step, early steps behind, late ones "
            "in front. Both directions are logarithmic; from ridge to ridge is half a decade."
        )
    omitted = f" {picker.omitted:,} blocks found no place here." if picker.omitted else ""
    return section(
        "spectrum",
        title,
        element("p", note + omitted, class_="note"),
        element(
            "p",
            element("label", "Block ", element("select", *options, id="block")),
            element("label", "Matrix ", element("select", *kinds, id="source")),
            class_="controls",
        ),
        chart("waterfall-chart", "Spectrum through training"),
    )


def _blocks(run: Run, blocks: Sequence[Block], findings: Sequence[Finding[Any, Any]]) -> Html:
    if not blocks:
        return section("table", "Blocks", missing("The run has no blocks."))
    note = "Press a heading to sort. Point at a verdict for its reason."
    if len(blocks) > MOST_ROWS:
        note += f" The first {MOST_ROWS:,} of {len(blocks):,}; spectrain advise lists all."
    table = element(
        "div", blocks_table(run, blocks, findings), class_="scroll", tabindex="0", role="region"
    )
    return section("table", "Blocks", element("p", note, class_="note"), table)
