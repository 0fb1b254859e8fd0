"""The page's part on trials: effects of changes with intervals, and the arms' paired curves."""

from __future__ import annotations

from collections.abc import Sequence

from spectrain.answers.tried import ChangeRow, Look, TrialTold
from spectrain.page.elements import counted, fold
from spectrain.page.format import MISSING, number, percent
from spectrain.page.html import Html, element, join

WIDTH, HEIGHT, MARGIN = 420, 120, 6
"""Of a drawing, in its own units."""

HEAD = ("Change", "Held-out loss", "95 %", "Harm", "")


def trials_part(trials: Sequence[TrialTold]) -> Html:
    """Every trial with its statement, a table of its changes, and curves of its verifications."""
    body = join(*(join(*_one(trial)) for trial in trials))
    hint = f"{counted(len(trials), 'trial')} of changes on short branches of this training"
    return fold("trials", "Trials", hint, body)


def _one(trial: TrialTold) -> list[Html]:
    shown = [change for change in trial.changes if change.low is not None]
    reach = max(
        (abs(x) for c in shown for x in (c.low, c.high) if x is not None and abs(x) < 1e6),
        default=1.0,
    )
    head = element("tr", *(element("th", title, scope="col") for title in HEAD))
    rows = (_row(change, reach) for change in trial.changes)
    parts = [
        element("p", trial.sentence, class_="statement"),
        element("table", element("thead", head), element("tbody", *rows), class_="plain"),
    ]
    parts += [_curves(look) for look in trial.looks]
    cost = f"It cost {percent(trial.share)} of the run. {' '.join(f'{n}.' for n in trial.notes)}"
    parts.append(element("p", cost.strip(), class_="note"))
    return parts


def _row(change: ChangeRow, reach: float) -> Html:
    interval = (
        f"{number(change.low, 2)} to {number(change.high, 2)}"
        if change.low is not None and change.high is not None
        else MISSING
    )
    return element(
        "tr",
        element("th", change.name, scope="row"),
        element("td", number(change.value, 2), class_="number"),
        element("td", _interval(change, reach), element("span", f" {interval}")),
        element("td", percent(change.harm), class_="number"),
        element("td", "adopted" if change.adopted else change.note),
    )


def _interval(change: ChangeRow, reach: float) -> Html:
    """The interval as a line about zero, which is in the middle."""
    if change.value is None or change.low is None or change.high is None:
        return Html()

    def at(value: float) -> float:
        return 60 + 58 * max(-1.0, min(1.0, value / reach))

    return element(
        "svg",
        _line(60, 1, 60, 15, opacity=0.4),
        _line(at(change.low), 8, at(change.high), 8),
        element("circle", cx=f"{at(change.value):.1f}", cy=8, r=3, fill="currentColor"),
        viewBox="0 0 120 16",
        width=120,
        height=16,
        aria_hidden="true",
    )


def _curves(look: Look) -> Html:
    """Loss of the changed arm less that of the base, step by step, one line a window."""
    paired = [
        [other - base for base, other in zip(*course, strict=False)] for course in look.courses
    ]
    reach = max((abs(x) for line in paired for x in line), default=0.0) or 1.0
    steps = max((len(line) for line in paired), default=0)
    middle, half = HEIGHT / 2, HEIGHT / 2 - MARGIN

    def points(line: Sequence[float]) -> str:
        across = (WIDTH - 2 * MARGIN) / max(steps - 1, 1)
        return " ".join(
            f"{MARGIN + across * k:.1f},{middle - half * value / reach:.1f}"
            for k, value in enumerate(line)
        )

    drawn = (
        element("polyline", points=points(line), fill="none", stroke="currentColor", opacity=0.7)
        for line in paired
    )
    names = ", ".join(look.changes)
    ends = ", ".join(number(value, 2) for _, value in look.windows)
    caption = (
        f"{names}: training loss less that of the base over {steps} steps, one line a window, "
        f"scale ±{number(reach, 2)}; held-out loss at their ends {ends}; expected at the end of "
        f"the run {number(look.expected, 2)} ({number(look.low, 2)} to {number(look.high, 2)})."
    )
    return element(
        "figure",
        element("figcaption", caption),
        element(
            "svg",
            _line(MARGIN, middle, WIDTH - MARGIN, middle, opacity=0.4),
            *drawn,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            width=WIDTH,
            height=HEIGHT,
            role="img",
            aria_label=f"Paired curves of {names}",
        ),
    )


def _line(x1: float, y1: float, x2: float, y2: float, *, opacity: float = 1.0) -> Html:
    return element(
        "line",
        x1=f"{x1:.1f}",
        y1=f"{y1:.1f}",
        x2=f"{x2:.1f}",
        y2=f"{y2:.1f}",
        stroke="currentColor",
        opacity=opacity,
    )
