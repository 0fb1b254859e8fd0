"""Parts that all pages are made of."""

from __future__ import annotations

from spectrain.page.html import Html, element


def section(name: str, title: str, *children: str) -> Html:
    """A part of a page under its heading."""
    return element("section", element("h2", title), *children, id=name)


def chart(name: str, label: str) -> Html:
    """The place that a script draws a chart into."""
    return element("div", id=name, class_="chart", role="figure", aria_label=label)


def missing(text: str) -> Html:
    """What stands in the place of a chart that has no data."""
    return element("p", text, class_="missing")


def verdict_chip(verdict: str, mark: str) -> Html:
    """A verdict with its mark and colour: said beside the colour, never by colour alone."""
    sign = element("span", mark, class_="mark", aria_hidden="true")
    return element("span", sign, f" {verdict}", class_=f"verdict {verdict.replace(' ', '-')}")
