"""The page of several runs: losses over each other, gradient ranks by role, tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spectrain.answers import QUESTIONS, Finding
from spectrain.core import Role
from spectrain.page.curves import loss_curves, sampled_steps
from spectrain.page.elements import chart, missing, section
from spectrain.page.format import MISSING, label, percent
from spectrain.page.html import Html, document, element, join, name
from spectrain.records import Run
from spectrain.report.comparison import WINDOW, Comparison, Loss, compare, role_curves
from spectrain.report.page import page_scripts, step_scale, write_page


def render_comparison(
    runs: Sequence[Run], path: str | os.PathLike[str], *, comparison: Comparison | None = None
) -> Path:
    """Write the page of several runs side by side.

    Args:
        runs: two open runs or more.
        path: the file to write.
        comparison: of :func:`~spectrain.report.compare` over these runs, if at hand.

    Returns:
        The path.

    Raises:
        InputError: there are fewer than two runs.
        RunError: the file cannot be written.
    """
    found = compare(runs) if comparison is None else comparison
    losses = [loss_curves(run) for run in runs]
    ranks = [role_curves(run, run.blocks) for run in runs]
    roles = [role for role in Role if any(role in curves for curves in ranks)]
    data = {
        "names": found.names,
        "sampled": sorted({step for run in runs for step in sampled_steps(run)}),
        "losses": [[asdict(curve) for curve in curves] for curves in losses],
        "ranks": {
            role: [asdict(curves[role]) if role in curves else None for curves in ranks]
            for role in roles
        },
    }
    body = element(
        "main",
        _headline(found),
        step_scale() if any(losses) or roles else "",
        section(
            "loss",
            "Loss",
            chart("loss-chart", "Loss") if any(losses) else missing(_NO_LOSS),
            _loss_table(found),
        ),
        _answers(found),
        _rank_charts(roles),
        _role_tables(found),
    )
    title = f"{' and '.join(found.names)} · spectrain"
    return write_page(path, document(title, body, data=data, scripts=page_scripts("compare.js")))


_NO_LOSS = "No loss was logged: call run.log(loss=…)."


def _headline(found: Comparison) -> Html:
    names = [
        element("li", name(run), style=f"--run: var(--run-{index % 6})")
        for index, run in enumerate(found.names)
    ]
    lede = f"{len(found.names)} runs side by side, up to step {found.steps:,}"
    return element(
        "header",
        element("p", "spectrain", class_="wordmark"),
        element("h1", "Comparison"),
        element("p", lede, class_="lede"),
        element("ul", *names, class_="runs"),
    )


def _loss_table(found: Comparison) -> Html:
    rows = [
        (
            f"{label(row.measure)} at step {row.step:,}",
            [_loss(loss) for loss in row.losses],
        )
        for row in found.losses
    ]
    rows.append(("cost of watching", [percent(overhead) for overhead in found.overheads]))
    note = f"Losses are means over the last {WINDOW:.0%} of the steps, ± their standard error."
    return join(element("p", note, class_="note"), _table("losses", "", found.names, rows))


def _loss(loss: Loss | None) -> str:
    if loss is None:
        return MISSING
    return f"{loss.value:.4f}" + (f" ± {loss.error:.4f}" if loss.error is not None else "")


def _rank_charts(roles: Sequence[str]) -> Html:
    title = "Effective rank of the gradients"
    if not roles:
        return section("ranks", title, missing("No gradient is recorded."))
    charts = (
        element(
            "figure",
            element("figcaption", element("b", role)),
            chart(f"rank-{index}", f"Effective rank, {role}"),
        )
        for index, role in enumerate(roles)
    )
    note = "As a share of full rank; the median block of each role."
    return section(
        "ranks",
        title,
        element("p", note, class_="note"),
        element("div", *charts, class_="multiples"),
    )


def _answers(found: Comparison) -> Html:
    """Every question's answer in a sentence, run by run."""
    rows = [
        (QUESTIONS[asked[0].name].text, [_answer(finding) for finding in asked])
        for asked in zip(*found.findings, strict=True)
    ]
    return section("answers", "What the records say", _table("answer-table", "", found.names, rows))


def _answer(finding: Finding[Any, Any]) -> Html:
    sign = element("span", str(finding.sign), class_=f"sign {finding.sign.replace(' ', '-')}")
    return join(sign, " ", finding.sentence)


def _role_tables(found: Comparison) -> Html:
    if not found.roles:
        return section("roles", "By role", missing("No run has blocks."))
    tables = []
    for question in QUESTIONS.values():
        for number, made in enumerate(question.compared):
            rows = [
                (row.role, [MISSING if g is None else made.cell(g) for g in row.groups])
                for row in found.roles
                if row.question == question.name
            ]
            tables += [
                element("p", made.note, class_="note"),
                _table(f"{question.name}-table-{number}", made.label, found.names, rows),
            ]
    return section("roles", "By role", *tables)


def _table(
    id: str, corner: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]
) -> Html:
    head = element(
        "tr", element("th", corner), *(element("th", name(run), scope="col") for run in names)
    )
    body = (
        element(
            "tr",
            element("th", heading, scope="row"),
            *(element("td", cell) for cell in cells),
        )
        for heading, cells in rows
    )
    table = element("table", element("thead", head), element("tbody", *body), id=id)
    return element("div", table, class_="scroll plain", tabindex="0", role="region")
