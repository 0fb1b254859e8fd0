"""The strip of verdicts: a line for every question, with sign, sentence and action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectrain.answers import Finding
from spectrain.answers.finding import Sign
from spectrain.page.html import Html, element

SIGNS = {
    Sign.ACT: ("▲", "act"),
    Sign.WATCH: ("◆", "watch"),
    Sign.GOOD: ("●", "good"),
    Sign.NOT_ENOUGH_DATA: ("○", "too little data"),
}
"""A mark of its own shape and a word for each sign, so that neither needs its colour."""

_ORDER = list(SIGNS)


def sign(of: Sign) -> Html:
    """A sign as mark and word."""
    mark, word = SIGNS[of]
    kind = of.replace(" ", "-")
    shape = element("span", mark, class_="mark", aria_hidden="true")
    return element("span", shape, f" {word}", class_=f"sign {kind}")


def strip(findings: Sequence[Finding[Any, Any]]) -> Html:
    """The findings, those to act on first."""
    gravest = sorted(findings, key=lambda finding: _ORDER.index(finding.sign))
    lines = (
        element(
            "li",
            element(
                "p",
                sign(finding.sign),
                element("span", finding.name, class_="topic"),
                element(
                    "a",
                    "why",
                    href=f"#finding-{finding.name}",
                    aria_label=f"Why: {finding.name}",
                    class_="why",
                ),
                class_="tags",
            ),
            element("p", finding.sentence, class_="sentence"),
            element("p", finding.action, class_="action") if finding.action else "",
            class_=finding.sign.replace(" ", "-"),
        )
        for finding in gravest
    )
    return element(
        "section",
        element("h2", "Verdicts", class_="small"),
        element("ol", *lines, class_="verdicts"),
        id="verdicts",
        aria_label="Verdicts",
    )
