"""Parts that all pages are made of."""

from __future__ import annotations

from spectrain.page.html import Html, element


def section(name: str, title: str, *children: str) -> Html:
    """A part of a page under its heading."""
    return element("section", element("h2", title), *children, id=name)


def fold(name: str, title: str, hint: str, *children: str, opened: bool = False) -> Html:
    """A part of a page that unfolds where its heading is pressed.

    Args:
        name: its place in the address.
        title: the heading.
        hint: what is in it, in a few words.
        children: what unfolds.
        opened: whether it is unfolded from the start.
    """
    summary = element(
        "summary", element("h2", title), element("span", hint, class_="hint") if hint else ""
    )
    return element(
        "details",
        summary,
        element("div", *children, class_="unfolded"),
        id=name,
        class_="fold",
        open="" if opened else None,
    )


def chart(name: str, label: str) -> Html:
    """The place that a script draws a chart into; its name is for readers who cannot see it."""
    return element("div", id=name, class_="chart", role="figure", aria_label=label)


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things, with the right form of their name.

    Example:
        >>> counted(1, "block"), counted(1200, "block"), counted(2, "entry", "entries")
        ('1 block', '1,200 blocks', '2 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def missing(text: str) -> Html:
    """What stands in the place of a chart that has no data."""
    return element("p", text, class_="missing")


def verdict_chip(verdict: str, mark: str) -> Html:
    """A verdict with its mark and colour: said beside the colour, never by colour alone."""
    sign = element("span", mark, class_="mark", aria_hidden="true")
    return element("span", sign, f" {verdict}", class_=f"verdict {verdict.replace(' ', '-')}")
