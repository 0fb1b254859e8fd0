"""The page of several runs: a row a run, losses over each other, gradient ranks by role."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spectrain.answers import QUESTIONS, Finding
from spectrain.core import Role, Source
from spectrain.page.curves import loss_curves, sampled_steps
from spectrain.page.elements import chart, counted, fold, missing
from spectrain.page.format import label, percent
from spectrain.page.html import Html, document, element, join, name, shorten
from spectrain.page.table import Cell, numeric, sortable, text
from spectrain.records import Run
from spectrain.report.clock import read_clock
from spectrain.report.comparison import WINDOW, Comparison, Loss, LossRow, compare, role_curves
from spectrain.report.glossary import glossary, names_of, terms
from spectrain.report.page import bar, page_scripts, step_tools, write_page
from spectrain.report.settings import Interval, Setting, band, differing, interval, seed_groups
from spectrain.report.strip import sign

COLOURS = 12
"""Colours of runs; further runs take them again with another kind of line."""

MOST_SETTINGS = 12
"""Differing settings that are columns of the table of runs."""

_NO_LOSS = "No loss was logged: call run.log(loss=…)."


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
    compared = compare(runs) if comparison is None else comparison
    settings, seeds = differing(runs)
    groups = [g for g in seed_groups(settings, len(runs)) if len(g) > 1] if seeds else []
    table = _Runs(runs, compared, settings, seeds, groups)
    losses = [loss_curves(run) for run in runs]
    ranks = [role_curves(run, run.blocks) for run in runs]
    roles = [role for role in Role if any(role in curves for curves in ranks)]
    entries = terms()
    measure = compared.losses[-1].measure if compared.losses else "loss"
    bands = [band(runs, group, measure) or band(runs, group, "loss") for group in groups]
    sampled = sorted({step for run in runs for step in sampled_steps(run)})
    ends = [curve.steps[-1] for curves in losses for curve in curves if curve.steps]
    data = {
        "names": [shorten(run) for run in compared.names],
        "sampled": sampled,
        "last": max([compared.steps, *ends, *sampled]),
        "clock": asdict(read_clock(runs[0])),
        "losses": [[asdict(curve) for curve in curves] for curves in losses],
        "bands": [asdict(one) for one in bands if one is not None],
        "ranks": {
            role: [asdict(curves[role]) if role in curves else None for curves in ranks]
            for role in roles
        },
        "terms": names_of(entries),
    }
    contents = [("runs", "Runs"), ("loss", "Loss"), ("ranks", "Ranks"), ("roles", "Roles")]
    contents[2:2] = [("answers", "Verdicts")]
    contents += [("glossary", "Glossary")]
    body = join(
        _headline(compared),
        bar(contents, step_tools() if any(losses) or roles else ""),
        element(
            "main",
            element("div", table.draw(), _loss(drawn=any(losses), bands=any(bands)), class_="both"),
            *table.draw_groups(),
            _answers(compared),
            _rank_charts(roles),
            _role_tables(compared),
            glossary(entries),
        ),
    )
    title = f"{counted(len(runs), 'run')} side by side · spectrain"
    return write_page(path, document(title, body, data=data, scripts=page_scripts("compare.js")))


def _headline(comparison: Comparison) -> Html:
    lede = (
        f"{counted(len(comparison.names), 'run')} side by side; "
        f"all have reached step {comparison.steps:,}"
    )
    return element(
        "header",
        element("p", "spectrain", class_="wordmark"),
        element("h1", "Comparison"),
        element("p", lede, class_="lede"),
        class_="masthead",
    )


@dataclass(frozen=True, slots=True)
class _Runs:
    """The table of runs, and that of the runs that differ by seed alone."""

    runs: Sequence[Run]
    comparison: Comparison
    settings: Sequence[Setting]
    seeds: Sequence[Setting]
    groups: Sequence[Sequence[int]]

    def draw(self) -> Html:
        settings = self._settings()
        headings = [
            ("Run", "folder; untick one to take its curves off the charts"),
            *((_loss_label(row), _loss_hint(row)) for row in self._losses()),
            *((_setting_label(s), "a setting that differs between the runs") for s in settings),
            *_asked(self.comparison),
            ("Watching", "cost of watching, as a share of the training's time"),
        ]
        rows = (
            element(
                "tr",
                _toggle(number, run),
                *(self._loss(row, number) for row in self._losses()),
                *(_setting(setting.values[number]).draw() for setting in settings),
                *(_verdict(finding).draw() for finding in self.comparison.findings[number]),
                _overhead(self.comparison.overheads[number]).draw(),
            )
            for number, run in enumerate(self.comparison.names)
        )
        note = (
            f"Losses are means over the last {WINDOW:.0%} of the steps, ± their standard error; "
            "★ marks the lowest."
        )
        if not settings:
            note += " No setting differs between the runs."
        elif (omitted := len(self.settings) + len(self.seeds) - len(settings)) > 0:
            note += f" {counted(omitted, 'further setting')} {_differ(omitted)}."
        return element(
            "section",
            element("h2", "Runs", class_="small"),
            element("p", note, class_="note"),
            sortable(headings, rows, id="runs-table", label="runs"),
            element(
                "p",
                *(
                    element("button", text, type="button", data_draw=which)
                    for which, text in (("all", "Draw all"), ("none", "Draw none"))
                ),
                class_="downloads",
            ),
            id="runs",
            aria_label="Runs",
        )

    def draw_groups(self) -> Iterator[Html]:
        """Runs that differ only by seed, together."""
        if not self.groups:
            return
        settings, losses = self.settings[:MOST_SETTINGS], self._losses()
        headings = [
            ("Runs", "that differ by their seed alone"),
            ("Seeds", "how many"),
            *((_setting_label(s), "a setting that differs between the runs") for s in settings),
            *((_loss_label(row), "mean over the seeds and its 95 % t interval") for row in losses),
        ]
        intervals = [[_over_seeds(row, group) for row in losses] for group in self.groups]
        best = [
            min((one.mean for one in column if one), default=None)
            for column in zip(*intervals, strict=True)
        ]
        rows = (
            element(
                "tr",
                element(
                    "th", name(", ".join(self.comparison.names[i] for i in group)), scope="row"
                ),
                numeric(f"{len(group):,}", len(group)).draw(),
                *(_setting(s.values[group[0]]).draw() for s in settings),
                *(
                    _interval(one, best=one is not None and one.mean == low).draw()
                    for one, low in zip(line, best, strict=True)
                ),
            )
            for group, line in zip(self.groups, intervals, strict=True)
        )
        yield fold(
            "seeds",
            "Seeds together",
            f"{counted(len(self.groups), 'group')} of runs that differ by their seed alone",
            sortable(headings, rows, id="seeds-table", label="runs by seed"),
            opened=True,
        )

    def _settings(self) -> list[Setting]:
        return [*self.settings, *self.seeds][:MOST_SETTINGS]

    def _losses(self) -> list[LossRow]:
        """At the last step that all have reached."""
        return [row for row in self.comparison.losses if row.step == self.comparison.steps]

    def _loss(self, row: LossRow, number: int) -> Html:
        loss = row.losses[number]
        if loss is None:
            return _empty(_why_no_loss(self.runs[number], row)).draw()
        best = min(one.value for one in row.losses if one is not None)
        return _loss_cell(loss, best=loss.value == best).draw()


def _asked(comparison: Comparison) -> list[tuple[str, str]]:
    """Headings of the questions that were asked of every run."""
    asked = comparison.findings[0] if comparison.findings else []
    return [(finding.name, QUESTIONS[finding.name].text) for finding in asked]


def _toggle(number: int, run: str) -> Html:
    box = element(
        "input",
        type="checkbox",
        checked="",
        data_run=number,
        aria_label=f"Draw {shorten(run)}",
        class_="toggle-run",
    )
    swatch = element("span", class_="swatch", style=_look(number))
    return element("th", box, swatch, name(run), scope="row", data_sort=shorten(run))


def _look(number: int) -> str:
    kind = ("solid", "dashed", "dotted", "double")[number // COLOURS % 4]
    return f"border-top: 3px {kind} var(--run-{number % COLOURS})"


def _setting_label(setting: Setting) -> str:
    return shorten(setting.name)


def _setting(value: str | None) -> Cell:
    if value is None:
        return _empty("not set")
    try:
        return numeric(shorten(value), float(value))
    except ValueError:
        return text(shorten(value))


def _differ(count: int) -> str:
    return "differs" if count == 1 else "differ"


def _loss_label(row: LossRow) -> str:
    return f"{label(row.measure)} at step {row.step:,}"


def _loss_hint(row: LossRow) -> str:
    if row.measure == "loss":
        return f"mean over the last {WINDOW:.0%} of the steps, ± its standard error"
    return "the last logged value up to that step"


def _loss_cell(loss: Loss, *, best: bool) -> Cell:
    text = f"{loss.value:.4f}" + (f" ± {loss.error:.4f}" if loss.error is not None else "")
    return _marked(text, loss.value, best=best)


def _interval(interval: Interval | None, *, best: bool) -> Cell:
    if interval is None:
        return _empty("fewer than two seeds logged it")
    text = f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"
    return _marked(text, interval.mean, best=best)


def _marked(text: str, order: float, *, best: bool) -> Cell:
    if not best:
        return numeric(text, order)
    return numeric(element("strong", "★ ", text, class_="best"), order, title="the lowest")


def _over_seeds(row: LossRow, group: Sequence[int]) -> Interval | None:
    known = [loss.value for i in group if (loss := row.losses[i]) is not None]
    return interval(known)


def _why_no_loss(run: Run, row: LossRow) -> str:
    logged = run.metrics(source=Source.TRAINING, measure=row.measure)
    if logged.is_empty():
        return "not logged"
    return "not logged by then" if logged["value"].is_finite().any() else "never finite"


def _empty(why: str) -> Cell:
    """What stands where there is no value: why there is none."""
    return Cell(element("span", why, class_="why-empty"))


def _verdict(finding: Finding[Any, Any]) -> Cell:
    return Cell(sign(finding.sign), str(finding.sign), finding.sentence)


def _overhead(share: float | None) -> Cell:
    return _empty("run not closed") if share is None else numeric(percent(share), share)


def _loss(*, drawn: bool, bands: bool) -> Html:
    title = element("h2", "Loss", class_="small")
    if not drawn:
        return element("section", title, missing(_NO_LOSS), id="loss", aria_label="Loss")
    choices = []
    if bands:
        box = element("input", type="checkbox", id="by-seed")
        label = element("label", box, " means over seeds with 95 % intervals")
        choices.append(element("p", label, class_="controls"))
    return element(
        "section", title, *choices, chart("loss-chart", "Loss"), id="loss", aria_label="Loss"
    )


def _rank_charts(roles: Sequence[str]) -> Html:
    title = "Effective rank of the gradients"
    if not roles:
        return fold("ranks", title, "", missing("No gradient is recorded."))
    charts = (
        element(
            "figure",
            element("figcaption", element("b", role)),
            chart(f"rank-{index}", f"Effective rank, {role}"),
        )
        for index, role in enumerate(roles)
    )
    return fold(
        "ranks",
        title,
        "as a share of full rank; the median block of each role",
        element("div", *charts, class_="multiples"),
    )


def _answers(comparison: Comparison) -> Html:
    """Every question's answer in a sentence, run by run."""
    headings = [("Run", "folder"), *_asked(comparison)]
    rows = (
        element(
            "tr",
            element("th", name(run), scope="row", data_sort=shorten(run)),
            *(
                element("td", sign(one.sign), " ", one.sentence, class_="told", data_sort=one.sign)
                for one in answers
            ),
        )
        for run, answers in zip(comparison.names, comparison.findings, strict=True)
    )
    return fold(
        "answers",
        "What the records say",
        "each question's answer in a sentence",
        sortable(headings, rows, id="answer-table", label="answers"),
    )


def _role_tables(comparison: Comparison) -> Html:
    if not comparison.roles:
        return fold("roles", "By role", "", missing("No run has blocks."))
    return fold(
        "roles", "By role", "the median block of each role, run by run", *_by_role(comparison)
    )


def _by_role(comparison: Comparison) -> Iterable[Html]:
    for question in QUESTIONS.values():
        asked = [row for row in comparison.roles if row.question == question.name]
        for number, made in enumerate(question.compared if asked else ()):
            rows = (
                element(
                    "tr",
                    element("th", name(run), scope="row", data_sort=shorten(run)),
                    *(
                        element("td", _empty("no such block").content)
                        if row.groups[place] is None
                        else element("td", made.cell(row.groups[place]))
                        for row in asked
                    ),
                )
                for place, run in enumerate(comparison.names)
            )
            headings = [("Run", ""), *((row.role, "") for row in asked)]
            yield element("p", made.note, class_="note")
            yield sortable(
                headings, rows, id=f"{question.name}-table-{number}", label=f"{made.label} by role"
            )
