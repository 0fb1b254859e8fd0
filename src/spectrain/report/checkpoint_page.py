"""The page of an inspection: what stands out, the layers, one spectrum, every block."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from spectrain.answers import Finding
from spectrain.checkpoint.inspect import without_answer
from spectrain.checkpoint.odd import odd_blocks
from spectrain.checkpoint.summary import groups_frame
from spectrain.core import Block, Skipped
from spectrain.page.elements import chart, missing, section
from spectrain.page.format import MISSING, duration, number, percent
from spectrain.page.html import Html, document, element, join, name, shorten
from spectrain.page.table import numeric, sortable
from spectrain.records import Run
from spectrain.report.densities import read_densities
from spectrain.report.facts import configuration, skipped
from spectrain.report.glossary import glossary, names_of, terms
from spectrain.report.health import Profiles, health_frame, is_difference, moved, read_profiles
from spectrain.report.health_table import CHANGES, MOST_ROWS, WEIGHTS, Column, health_table
from spectrain.report.page import (
    bar,
    block_section,
    finding_card,
    page_scripts,
    waterfall_data,
    write_page,
)
from spectrain.report.waterfall import read_waterfalls

_SHOWN = 40  # lines of one list


def render_inspection(
    run: Run,
    path: str | os.PathLike[str],
    *,
    blocks: Sequence[Block] | None = None,
    findings: Sequence[Finding[Any, Any]] = (),
    incomplete: Sequence[Skipped] | None = None,
) -> Path:
    """Write the page of an inspection: one file that opens without a network.

    Args:
        run: of :func:`~spectrain.checkpoint.inspect_checkpoints` or of
            :func:`~spectrain.checkpoint.compare_checkpoints`.
        path: the file to write.
        blocks: the blocks to show; all if not given.
        findings: the finding *randomness*, if at hand.
        incomplete: weights without an answer; those of the records if not given.

    Returns:
        The path.

    Raises:
        RunError: the file cannot be written.
    """
    chosen = run.blocks if blocks is None else tuple(blocks)
    frame = health_frame(run, findings)
    frame = frame.filter(pl.col("block").is_in([block.name for block in chosen]))
    columns = _columns(frame, CHANGES if is_difference(run) else WEIGHTS)
    lacking = without_answer(run) if incomplete is None else incomplete
    profiles = read_profiles(frame, [column.key for column in columns])
    picker = read_waterfalls(run, sorted(chosen, key=lambda block: block.view.diagonal))
    entries = terms()
    data = {
        "profiles": asdict(profiles),
        "measures": [{"key": c.key, "label": c.label, "share": c.share} for c in columns],
        "waterfalls": waterfall_data(picker),
        "last": max(profiles.steps, default=0) or 0,
        "densities": {
            shorten(block): asdict(density)
            for block, density in read_densities(run, chosen, findings).items()
        },
        "terms": names_of(entries),
    }
    main = element(
        "main",
        _cards(findings),
        _attention(run, frame, lacking),
        _layers(profiles, columns),
        block_section(picker),
        _roles(frame, columns),
        _blocks(frame, columns),
        section("colophon", "About this inspection", skipped(run), _how(run), configuration(run)),
        glossary(entries),
    )
    contents = [
        *([("findings", "Findings")] if findings else []),
        ("layers", "Layers"),
        ("spectrum", "One block"),
        ("roles", "Roles"),
        ("table", "Blocks"),
        ("colophon", "About"),
        ("glossary", "Glossary"),
    ]
    body = join(_headline(run, chosen, frame, lacking), bar(contents, ""), main)
    scripts = page_scripts("block.js", "inspection.js")
    title = f"{_name(run)} · spectrain"
    return write_page(path, document(title, body, data=data, scripts=scripts))


def _columns(frame: pl.DataFrame, columns: Sequence[Column]) -> list[Column]:
    """Those of which there is a value."""
    return [c for c in columns if c.key in frame.columns and frame[c.key].drop_nulls().len()]


def _checkpoints(run: Run) -> list[Mapping[str, Any]]:
    return list(run.manifest["config"]["checkpoints"])


def _name(run: Run) -> str:
    names = [str(facts["name"]) for facts in _checkpoints(run)]
    if is_difference(run):
        return " → ".join(names)
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _headline(
    run: Run, blocks: Sequence[Block], frame: pl.DataFrame, lacking: Sequence[Skipped]
) -> Html:
    created = str(run.manifest.get("created_at", ""))[:16].replace("T", " ")
    facts = _checkpoints(run)
    kinds = ", ".join(dict.fromkeys(str(one["format"]) for one in facts))
    what = "the change between two checkpoints" if is_difference(run) else kinds
    if len(facts) == 1 and facts[0]["step"]:
        what += f", step {facts[0]['step']:,}"
    return element(
        "header",
        element("p", "spectrain", class_="wordmark"),
        element("h1", name(_name(run))),
        element("p", f"{what}, inspected {created} UTC", class_="lede"),
        element(
            "dl",
            *(
                element("div", element("dt", label), element("dd", value))
                for label, value in _figures(run, blocks, frame, lacking)
            ),
            class_="figures",
        ),
        class_="masthead",
    )


def _figures(
    run: Run, blocks: Sequence[Block], frame: pl.DataFrame, lacking: Sequence[Skipped]
) -> Iterator[tuple[str, str]]:
    yield "blocks", f"{len(blocks):,}"
    last = frame.filter(pl.col("step") == pl.col("step").max())
    yield "weights in them", _count(int(last["entries"].sum()))
    if not is_difference(run) and len(_checkpoints(run)) > 1:
        yield "checkpoints", f"{len(_checkpoints(run)):,}"
    random = frame["bulk_fraction"].median()
    if isinstance(random, float):
        yield "in a random bulk, median", percent(random)
    if "relative_change" in frame.columns:
        change = frame["relative_change"].median()
        yield "relative change, median", percent(change if isinstance(change, float) else None)
    yield "without an answer", f"{len(lacking):,}"


def _count(entries: int) -> str:
    for limit, unit in ((1e9, "billion"), (1e6, "million")):
        if entries >= limit:
            return f"{entries / limit:.3g} {unit}"
    return f"{entries:,}"


def _cards(findings: Sequence[Finding[Any, Any]]) -> Html:
    if not findings:
        return Html()
    return section(
        "findings",
        "What the records say",
        element("div", *(finding_card(one) for one in findings), class_="findings"),
    )


def _attention(run: Run, frame: pl.DataFrame, lacking: Sequence[Skipped]) -> Html:
    odd = pl.DataFrame() if is_difference(run) else odd_blocks(frame)
    far = [
        join(
            name(row["block"]),
            f": {row['measure'].replace('_', ' ')} {number(row['value'])}, typical of its role is "
            f"{number(row['typical'])}",
        )
        for row in odd.iter_rows(named=True)
    ]
    far_moved, still = moved(frame) if is_difference(run) else ([], [])
    most = [join(name(block), f": by {percent(change)} of its norm") for block, change in far_moved]
    lost = [join(name(skip.parameter), f": {skip.reason}") for skip in lacking]
    parts = [
        *_listed("Without an answer", lost),
        *_listed("Far from the others of its role", far),
        *_listed("Moved most", most),
        *_listed("Did not move", [name(block) for block in still]),
    ]
    return section("attention", "What stands out", *parts) if parts else Html()


def _listed(title: str, lines: Sequence[str]) -> Iterator[Html]:
    if lines:
        shown = [element("li", line) for line in lines[:_SHOWN]]
        if len(lines) > _SHOWN:
            shown.append(element("li", f"and {len(lines) - _SHOWN:,} more"))
        yield element("h3", title)
        yield element("ul", *shown)


def _layers(profiles: Profiles, columns: Sequence[Column]) -> Html:
    title = "Through the layers" if profiles.by_layer else "Through the file"
    if not profiles.lanes or not columns:
        return section("layers", title, missing("No block has a value."))
    options = (element("option", column.label, value=column.key) for column in columns)
    note = "A panel for each role; " + (
        "where several blocks share a layer, their median."
        if profiles.by_layer
        else "blocks in the order of the file, since their names show no layers."
    )
    if len(profiles.steps) > 1:
        note += " Early checkpoints are pale, the last one is dark."
    charts = (
        element(
            "figure",
            element("figcaption", element("b", lane.role)),
            chart(f"lane-{index}", f"Measure of the blocks, {lane.role}"),
        )
        for index, lane in enumerate(profiles.lanes)
    )
    picker = element("label", "Measure ", element("select", *options, id="measure"))
    return section(
        "layers",
        title,
        element("p", note, class_="note"),
        element("p", picker, class_="controls"),
        element("div", *charts, class_="multiples"),
    )


def _roles(frame: pl.DataFrame, columns: Sequence[Column]) -> Html:
    last = frame.filter(pl.col("step") == pl.col("step").max())
    groups = groups_frame(last, "role")
    if not groups.height:
        return Html()
    shown = [column for column in columns if column.key in groups.columns]
    headings = [("Role", "what its blocks do"), ("Blocks", ""), ("Weights", "entries of them")]
    headings += [(column.label, column.title) for column in shown]
    rows = (
        element(
            "tr",
            element("th", row["role"], scope="row"),
            numeric(f"{row['blocks']:,}", row["blocks"]).draw(),
            numeric(_count(row["entries"]), row["entries"]).draw(),
            *(numeric(column.show(row[column.key]), row[column.key]).draw() for column in shown),
        )
        for row in groups.iter_rows(named=True)
    )
    note = element("p", "Medians over the blocks of each role.", class_="note")
    return section(
        "roles", "By role", note, sortable(headings, rows, id="roles-table", label="roles")
    )


def _blocks(frame: pl.DataFrame, columns: Sequence[Column]) -> Html:
    if not frame.height:
        return section("table", "Blocks", missing("There are no blocks."))
    note = "Press a heading to sort; point at it for what it means."
    if (count := frame["block"].n_unique()) > MOST_ROWS:
        note += f" The first {MOST_ROWS:,} of {count:,}; spectrain inspect --csv lists all."
    if frame["step"].n_unique() > 1:
        note += " Those of the last checkpoint."
    return section(
        "table", "Blocks", element("p", note, class_="note"), health_table(frame, columns)
    )


def _how(run: Run) -> Html:
    """How the numbers were obtained."""
    spectra = run.spectra()
    methods = spectra["method"].value_counts(sort=True).rows()
    back_ends = ", ".join(f"{method} for {count:,}" for method, count in methods) or MISSING
    own = run.manifest["config"].get("threads"), run.manifest["host"].get("openblas_threads")
    lines = [f"Singular values by {back_ends}; threads of torch: {own[0]}, of OpenBLAS: {own[1]}."]
    if seconds := run.summary.get("seconds"):
        lines.append(f"It took {duration(seconds)}.")
    lines += [str(note) for facts in _checkpoints(run) for note in facts["notes"]]
    return element(
        "div",
        element("h3", "How it was measured"),
        element("ul", *(element("li", line) for line in dict.fromkeys(lines))),
    )
